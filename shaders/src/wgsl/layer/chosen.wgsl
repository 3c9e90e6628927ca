fn is_number(value: f32) -> bool {
    return (bitcast<u32>(value) & 0x7fffffffu) <= 0x7f800000u;
}

// Place in its channel of the largest input of a window: the first of equal ones, line by line, and a
// NaN before any number. `first` is where the channel begins.
fn chosen(first: u32, window: vec2<u32>) -> u32 {
    let begin = window_begin(window);
    let end = window_end(window);
    var place = begin.x * INPUT.y + begin.y;
    var most = x[first + place];
    for (var i = begin.x; i < end.x; i++) {
        for (var j = begin.y; j < end.y; j++) {
            let value = x[first + i * INPUT.y + j];
            if (is_number(most) && (value > most || !is_number(value))) {
                most = value;
                place = i * INPUT.y + j;
            }
        }
    }
    return place;
}

