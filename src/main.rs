use nevus::gpu::*;
use nevus::ops::*;
fn main() {
    let gpu = Gpu::new(&GpuOptions::default()).unwrap();
    let filter = std::env::args().nth(1).unwrap_or_default();
    let (mut pass, mut fail) = (0, 0);
    for room in OPS {
        for case in (room.cases)() {
            let k = kernel(case.op.kernel()).unwrap();
            for v in k.versions {
                if !v.shader.contains(&filter) {
                    continue;
                }
                let mut cs = vec![(case.clone(), false)];
                if let Some(i) = case.integers() {
                    if room.name.starts_with("conv") || room.name == "reduce" {
                        cs.push((i, true));
                    }
                }
                for (c, exact) in cs {
                    match harness::check(&gpu, k, v, &c, exact) {
                        Ok(harness::Outcome::Passed(_)) => pass += 1,
                        Ok(harness::Outcome::Skipped(w)) => println!("skip {} {w}", v.shader),
                        Err(e) => {
                            fail += 1;
                            println!("FAIL {e}\n");
                        }
                    }
                }
            }
        }
    }
    println!("{pass} passed, {fail} failed");
}
