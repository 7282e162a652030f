/*
 * Text put together piece by piece; text.h has the model.
 */
#include "base/text.h"

void weft__text_add_part(struct text *text, const char *string, size_t n_max)
{
	for (size_t i = 0; i < n_max && string[i] && text->length + 1 < text->size; i++)
		text->buffer[text->length++] = string[i];
	text->buffer[text->length] = '\0';
}

static void add_digits(struct text *text, uint64_t number, unsigned base)
{
	char digits[20]; /* the last ones first filled; 2^64 has 20 */
	size_t at = sizeof(digits);

	do {
		digits[--at] = "0123456789abcdef"[number % base];
		number /= base;
	} while (number);
	weft__text_add_part(text, digits + at, sizeof(digits) - at);
}

void weft__text_add_number(struct text *text, uint64_t number)
{
	add_digits(text, number, 10);
}

void weft__text_add_hex(struct text *text, uint64_t number)
{
	weft__text_add(text, "0x");
	add_digits(text, number, 16);
}
