use nevus::data::phantom::phantom;
use nevus::report::*;
fn main() {
    let d = std::path::Path::new("/tmp/c_look");
    let mut page = Page::new(PageHead { model: "unet-16 (weights/unet.safetensors)".into(), adapter: "llvmpipe (Vulkan, Mesa 25)".into() });
    let mut sheet = Sheet::new("Worst ten: IoU", SheetOptions::default()).unwrap();
    for i in 0..6u64 {
        let p = phantom(7, i, 450, 600).unwrap();
        let o = overlay(&p.image, &p.mask).unwrap();
        if i < 3 { o.save(d.join(format!("o{i}.png"))).unwrap(); }
        let r = phantom(7, i + 1, 450, 600).unwrap();
        if i == 3 { compare(&p.image, &p.mask, &r.mask).unwrap().save(d.join("cmp.png")).unwrap(); }
        sheet.add(&o, format!("ISIC_{i} 0.{i}31 with a long caption that goes on")).unwrap();
        let n = p.mask.iter().filter(|v| **v > 0).count() as f64 / p.mask.len() as f64;
        page.add(&SegmentEntry { name: format!("ISIC_{i}.jpg"), photo: p.image, mask: p.mask, area_fraction: n, bounding_box: Some([120, 80, 233, 190]), mean_confidence: 0.973 }).unwrap();
    }
    let p = phantom(9, 4, 2250, 3000).unwrap();
    let t = std::time::Instant::now();
    overlay(&p.image, &p.mask).unwrap().save(d.join("big.png")).unwrap();
    println!("{:?}", t.elapsed());
    page.fail(SegmentFailure { name: "broken.jpg".into(), message: "photos/broken.jpg: cannot be decoded (broken, truncated or not supported)".into() });
    std::fs::write(d.join("index.html"), page.finish()).unwrap();
    sheet.finish().save(d.join("sheet.png")).unwrap();
    let f = |a: f64, b: f64| (1..=30).map(|e| (e as f64, a / (e as f64).sqrt() + b + 0.01 * ((e * 7 % 5) as f64))).collect::<Vec<_>>();
    let c = LineChart { title: "Loss".into(), x: "epoch".into(), y: "loss".into(), y_range: None, series: vec![Series::new("train", f(0.8, 0.1)), Series::new("val", f(0.7, 0.2))] };
    std::fs::write(d.join("loss.svg"), line_chart(&c).unwrap()).unwrap();
    let c = LineChart { title: "Learning rate".into(), x: "step".into(), y: "rate".into(), y_range: None, series: vec![Series::new("learning rate", (0..3000).map(|s| (s as f64, 1e-3 * (1.0 + (s as f64 / 955.0).cos()) / 2.0)).collect())] };
    std::fs::write(d.join("lr.svg"), line_chart(&c).unwrap()).unwrap();
}
