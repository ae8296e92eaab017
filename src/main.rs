use nevus::gpu::*;
use nevus::models::reference::*;
fn main() {
    let gpu = Gpu::new(&GpuOptions::default()).unwrap();
    let filter = std::env::args().nth(1).unwrap_or_default();
    let (mut pass, mut fail) = (0, 0);
    for path in Case::find("../shared/cases").unwrap() {
        let case = Case::open(&path).unwrap();
        if !case.name().contains(&filter) { continue; }
        for o in [nevus::plan::PlanOptions::default(), nevus::plan::PlanOptions::naive()] {
        let t = std::time::Instant::now();
        match case.check(&gpu, &o) {
            Verdict::Passed(s) => { pass += 1; if s > 0.5 { println!("{} {s:.3}", case.name()) } if t.elapsed().as_secs_f32() > 1.0 {println!("{} {:?}", case.name(), t.elapsed())} }
            Verdict::Skipped(w) => println!("skip {} {w}", case.name()),
            Verdict::Failed(w) => { fail += 1; println!("FAIL {} {w}", case.name()) }
        }}
    }
    println!("{pass} passed, {fail} failed");
}
