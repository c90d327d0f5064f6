"""Digit images: `load_digit_images` finds them, proves what they are, and fetches what is missing."""

from vae_helpers.data.images import DigitData, DigitImages, load_digit_images, load_small_digits

__all__ = ["DigitData", "DigitImages", "load_digit_images", "load_small_digits"]
