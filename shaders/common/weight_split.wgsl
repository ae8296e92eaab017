// Of common/weight_gemm, common/row_weight_gemm and common/staged_weight_gemm: which samples and rows a workgroup sums.
    let b4 = (p.b + 3u) / 4u;
    let split = p.first_split + wid.z;
    let first_sample = split / p.row_splits * p.samples;
    let first_row = split % p.row_splits * p.rows;
    let end_sample = min(first_sample + p.samples, p.n);
    let end_row = min(first_row + p.rows, p.oh);
    let s_plane = p.h * p.w;
    let b_plane = p.oh * p.ow;
