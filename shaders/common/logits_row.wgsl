// What losses want of a row of logits: its maximum, where that first stands, and the sum of exp(x[c] - maximum) over
// all other classes, so that a row that is confidently right keeps its precision. Needs logits and p.c; includes log1p.
{% include "common/log1p" %}

struct Row {
    most: f32,
    place: u32,
    rest: f32,
}

fn logits_row(start: u32) -> Row {
    var row = Row(logits[start], 0u, 0.0);
    for (var c = 1u; c < p.c; c++) {
        if logits[start + c] > row.most {
            row.most = logits[start + c];
            row.place = c;
        }
    }
    for (var c = 0u; c < p.c; c++) {
        if c != row.place {
            row.rest += exp(logits[start + c] - row.most);
        }
    }
    return row;
}

// ln of the sum over all classes of exp(x[c] - maximum)
fn log_sum(row: Row) -> f32 {
    if row.rest <= 1.0 {
        return log1p(row.rest);
    }
    return log(1.0 + row.rest);
}

// The probability of class c, whose logit is x.
fn probability(row: Row, x: f32) -> f32 {
    return exp(x - row.most) / (1.0 + row.rest);
}

// 1 - probability of class c, whose logit is x.
fn other(row: Row, x: f32, c: u32) -> f32 {
    if c == row.place {
        return row.rest / (1.0 + row.rest);
    }
    return 1.0 - probability(row, x);
}

// Whether a target is a class; the graph cannot know.
fn is_class(value: f32) -> bool {
    return value >= 0.0 && value < f32(p.c) && floor(value) == value;
}
