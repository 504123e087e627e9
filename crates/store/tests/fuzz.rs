//! The fuzz targets' entry points, run on seeded input.

use tidings_store::fuzz;
use tidings_store::storage::crash::Seeded;

#[test]
fn overwritten_files_are_read_without_panic_or_disorder() {
    let mut random = Seeded::new(11);
    for _ in 0..3000 {
        let len = 4 + random.below(40) as usize;
        let input: Vec<u8> = (0..len).map(|_| random.draw() as u8).collect();
        fuzz::overwrite(&input);
        fuzz::parse(&input);
    }
}

/// Records as they may be, with a few bytes that are otherwise: what reads them
/// gets past the checksums.
#[test]
fn records_of_any_content_are_read_without_panic_and_come_back() {
    let mut random = Seeded::new(12);
    for _ in 0..100_000 {
        let mut record = vec![0; 56 + 8 * random.below(12) as usize];
        // Lengths that nearly fit: of the fields, the topic, the id.
        for (at, most) in [(36, 24), (40, 12), (42, 4), (44, 32), (45, 6)] {
            record[at] = random.below(most) as u8;
        }
        let texts = b"ab/\x02\x00c\x01\x00d*\xc3\xa9\n.";
        for byte in &mut record[48..] {
            *byte = texts[random.below(texts.len() as u64) as usize];
        }
        fuzz::parse(&record);
    }
}
