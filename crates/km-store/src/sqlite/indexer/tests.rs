//! How much one batch holds, and how long is rested after it.

use tempfile::TempDir;

use super::super::open;
use super::super::tests::fill;
use super::*;

#[test]
fn a_batch_ends_at_its_bytes_and_holds_one_row_however_large() {
    let data = TempDir::new().unwrap();
    let ledger = open::ledger(data.path()).unwrap();
    fill(&ledger, "default", 1..=40, 256 << 10);
    let batch = Batch::read(&ledger, 0).unwrap().unwrap();
    let bytes = |batch: &Batch| -> usize {
        batch.heads.iter().filter_map(|head| head.write.content.as_ref()).map(String::len).sum()
    };
    assert!(batch.more && bytes(&batch) <= BATCH_BYTES + (256 << 10), "{} bytes", bytes(&batch));
    assert_eq!(i64::try_from(batch.heads.len()).unwrap(), batch.through);
    fill(&ledger, "default", 41..=42, 2 * BATCH_BYTES);
    let batch = Batch::read(&ledger, 40).unwrap().unwrap();
    assert!(batch.more && batch.heads.len() == 1 && batch.through == 41);
    assert!(Batch::read(&ledger, 42).unwrap().is_none());
}

#[test]
fn a_batch_ends_at_its_rows() {
    let data = TempDir::new().unwrap();
    let ledger = open::ledger(data.path()).unwrap();
    fill(&ledger, "default", 1..=1_010, 10);
    let batch = Batch::read(&ledger, 0).unwrap().unwrap();
    assert!(batch.more && batch.through == 1_000);
    let batch = Batch::read(&ledger, 1_000).unwrap().unwrap();
    assert!(!batch.more && batch.through == 1_010);
}

#[test]
fn indexing_takes_the_time_that_the_writer_leaves() {
    let ms = Duration::from_millis;
    let rest = |took, worked| rest_after(ms(took), ms(worked)).as_millis();
    assert_eq!(rest(1_000, 500), 1_000, "half of the time each");
    assert_eq!(rest(1_000, 1_000), 9_000, "a tenth at least");
    assert_eq!(rest(1_000, 1_100), 9_000, "work that began before the batch counts whole");
    assert_eq!([rest(1_000, 0), rest(10, 5), rest(0, 0)], [200; 3], "small commits gather");
}
