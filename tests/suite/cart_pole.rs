//! The cart and pole of `examples/cart_pole.rs`: the network holds the pole up, without it the pole
//! falls.

#[path = "../../examples/cart_pole.rs"]
#[allow(dead_code, reason = "its main is for the example")]
mod example;

/// Ten seconds are promised; the test asks for twenty.
#[test]
fn the_network_holds_the_pole_up() {
    let one = example::run(1.0, 20, 1).unwrap();
    let (angle, distance) = one.most;
    println!(
        "up: within {:.3} degrees, {distance:.3} m",
        angle.to_degrees()
    );
    assert_eq!(one.fell_s, None);
    // Far from where it would count as fallen.
    assert!(
        angle.to_degrees() < 6.0 && distance < 1.2,
        "{angle} {distance}"
    );
    let two = example::run(1.0, 2, 2).unwrap();
    assert_eq!(two.angle.1, one.angle.1[..two.angle.1.len()], "two threads");
}

/// A pole that is left alone leans away as e^(t/τ), slowly at first.
#[test]
fn a_pole_left_alone_falls_within_a_second() {
    let fell = example::run(0.0, 3, 1).unwrap().fell_s;
    // cosh(t/τ) = 12°/1°, with 1/τ² = g/(l·(4/3 − m/(m_c + m))); the friction of the hinge is nothing,
    // and motor neurons that fire by themselves push both ways alike, up to what their first spikes add.
    let rate = (9.8_f64 / (0.5 * (4.0 / 3.0 - 0.1 / 1.1))).sqrt();
    let expected = (12.0_f64.to_radians() / 0.0175).acosh() / rate;
    println!("fell after {fell:?} s, alone it would after {expected:.3} s");
    let fell = fell.expect("it falls");
    assert!(
        (fell - expected).abs() < 0.3 && fell < 1.3,
        "{fell} {expected}"
    );
}
