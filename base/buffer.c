/*
 * Bytes that the holder owns; see struct weft_buffer. Any thread.
 */
#include "base/base.h"

void weft_buffer_fini(struct weft_buffer *buffer)
{
	if (buffer->release)
		buffer->release(buffer);
	*buffer = (struct weft_buffer){ 0 };
}
