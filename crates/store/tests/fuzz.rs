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
