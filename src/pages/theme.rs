//! The accent colour: from one `#rrggbb` to the colours of the stylesheet, light and dark, that keep WCAG 2.2 AA.
//!
//! Buttons have the colour itself where it stands out from the page (3:1, §1.4.11), links a shade of it that can be read
//! (4.5:1, §1.4.3); text on a button is black or white, whichever can be read better.

use std::fmt::Write as _;

use crate::config::language::ui::Color;

type Rgb = [u8; 3];

const BLACK: Rgb = [0, 0, 0];
const WHITE: Rgb = [255, 255, 255];
/// Parts of the page and its controls against what is around them.
const SHAPE: f64 = 3.0;
/// Text.
const TEXT: f64 = 4.5;

/// Light or dark, with the backgrounds that `static/style.css` has there.
struct Scheme {
    /// `--surface`, `--paper`, `--sunken`.
    backgrounds: [Rgb; 3],
    /// Which way a colour goes to stand out.
    toward: Rgb,
    /// How much of the colour is in the tint behind what the pointer is on.
    tint: f64,
}

const LIGHT: Scheme = Scheme { backgrounds: [WHITE, [0xf4, 0xf2, 0xec], [0xf7, 0xf6, 0xf1]], toward: BLACK, tint: 0.1 };
const DARK: Scheme =
    Scheme { backgrounds: [[0x18, 0x1d, 0x1b], [0x0f, 0x13, 0x12], [0x12, 0x17, 0x16]], toward: WHITE, tint: 0.16 };

/// The rules that, after the stylesheet, give the pages this accent.
pub(crate) fn rules(color: Color) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "\n:root {{{}}}", variables(color.0, &LIGHT));
    let _ = writeln!(out, "@media (prefers-color-scheme: dark) {{ :root {{{}}} }}", variables(color.0, &DARK));
    out
}

fn variables(color: Rgb, scheme: &Scheme) -> String {
    let [surface, ..] = scheme.backgrounds;
    let fill = standing_out(color, &scheme.backgrounds, SHAPE, scheme.toward);
    let on = if contrast(fill, WHITE) >= contrast(fill, BLACK) { WHITE } else { BLACK };
    let soft = mix(surface, color, scheme.tint);
    let [surface, paper, sunken] = scheme.backgrounds;
    let text = standing_out(color, &[surface, paper, sunken, soft], TEXT, scheme.toward);
    // Under the pointer a button moves away from its own text, so that the text stays readable.
    let pressed = mix(fill, if on == WHITE { BLACK } else { WHITE }, 0.2);
    [
        ("accent", fill),
        ("accent-strong", pressed),
        ("accent-soft", soft),
        ("accent-text", text),
        ("accent-text-strong", mix(text, scheme.toward, 0.25)),
        ("on-accent", on),
    ]
    .iter()
    .fold(String::new(), |mut out, (name, [red, green, blue])| {
        let _ = write!(out, " --{name}: #{red:02x}{green:02x}{blue:02x};");
        out
    })
}

/// The colour, moved no further than it takes to have this contrast with each background.
fn standing_out(color: Rgb, backgrounds: &[Rgb], least: f64, toward: Rgb) -> Rgb {
    let enough = |color: &Rgb| backgrounds.iter().all(|background| contrast(*color, *background) >= least);
    (0..=100).map(|step| mix(color, toward, f64::from(step) / 100.0)).find(enough).unwrap_or(toward)
}

/// `share` of `other` in `color`.
fn mix(color: Rgb, other: Rgb, share: f64) -> Rgb {
    let channel = |from: u8, to: u8| {
        let value = f64::from(from) + (f64::from(to) - f64::from(from)) * share;
        // In range by construction: between two bytes.
        value.round().clamp(0.0, 255.0) as u8
    };
    let ([red, green, blue], [to_red, to_green, to_blue]) = (color, other);
    [channel(red, to_red), channel(green, to_green), channel(blue, to_blue)]
}

/// The contrast ratio of two colours (WCAG 2.2, "contrast ratio"): 1 to 21.
fn contrast(one: Rgb, other: Rgb) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// Relative luminance (WCAG 2.2, "relative luminance").
fn luminance([red, green, blue]: Rgb) -> f64 {
    let linear = |channel: u8| {
        let value = f64::from(channel) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    fn color_of(block: &str, name: &str) -> Rgb {
        let after = block.split_once(&format!(" --{name}: ")).unwrap_or_else(|| unreachable!("{name} in {block}")).1;
        Color::parse(after.split_once(';').unwrap().0).unwrap().0
    }

    /// Light and dark.
    fn blocks(css: &str) -> (String, String) {
        let (light, dark) = css.split_once("@media (prefers-color-scheme: dark)").unwrap();
        (light.to_owned(), dark.to_owned())
    }

    #[test]
    fn every_colour_can_be_read_light_and_dark() {
        const STEPS: [u8; 7] = [0, 37, 90, 128, 170, 221, 255];
        let colors = STEPS.iter().flat_map(|red| {
            STEPS.iter().flat_map(move |green| STEPS.iter().map(move |blue| Color([*red, *green, *blue])))
        });
        for color in colors {
            let (light, dark) = blocks(&rules(color));
            for (block, scheme) in [(light, &LIGHT), (dark, &DARK)] {
                can_be_read(&block, scheme);
            }
        }
    }

    fn can_be_read(block: &str, scheme: &Scheme) {
        let get = |name: &str| color_of(block, name);
        for background in scheme.backgrounds {
            assert!(contrast(get("accent"), background) >= SHAPE, "{block}");
            assert!(contrast(get("accent-text"), background) >= TEXT, "{block}");
            assert!(contrast(get("accent-text-strong"), background) >= TEXT, "{block}");
        }
        assert!(contrast(get("accent-text"), get("accent-soft")) >= TEXT, "{block}");
        assert!(contrast(get("accent-text-strong"), get("accent-soft")) >= TEXT, "{block}");
        for button in ["accent", "accent-strong"] {
            assert!(contrast(get("on-accent"), get(button)) >= TEXT, "{button} {block}");
        }
    }

    #[test]
    fn a_colour_that_stands_out_is_shown_as_it_is() {
        let (light, dark) = blocks(&rules(Color([0x1d, 0x4e, 0x89])));
        assert_eq!(color_of(&light, "accent"), [0x1d, 0x4e, 0x89]);
        assert_eq!(color_of(&light, "on-accent"), WHITE);
        assert_ne!(color_of(&dark, "accent"), [0x1d, 0x4e, 0x89], "too dark for the dark page");
        let (light, dark) = blocks(&rules(Color([0xff, 0xd4, 0x00])));
        assert_ne!(color_of(&light, "accent"), [0xff, 0xd4, 0x00], "too light for the light page");
        assert_eq!(color_of(&dark, "accent"), [0xff, 0xd4, 0x00]);
        assert_eq!(color_of(&dark, "on-accent"), BLACK);
    }

    #[test]
    fn the_backgrounds_are_those_of_the_stylesheet() {
        let css = include_str!("../../static/style.css");
        let (light, dark) = css.split_once("@media (prefers-color-scheme: dark)").unwrap();
        for (block, scheme) in [(light, &LIGHT), (dark, &DARK)] {
            for (index, name) in ["surface", "paper", "sunken"].iter().enumerate() {
                assert_eq!(color_of(block, name), scheme.backgrounds[index], "{name}");
            }
        }
    }
}
