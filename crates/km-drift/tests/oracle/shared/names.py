PREFIX = "SVC" + "_"
REGION = f"{'eu'}-west-{1}"
