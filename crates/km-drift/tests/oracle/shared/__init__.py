from .base import ServiceBase

__all__ = ["ServiceBase"]
