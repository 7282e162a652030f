/*
 * Memory of one request. See http/memory.h.
 */
#include "http/memory.h"

/* Together with its header and malloc's a little less than 2 KiB: a head and some values.
 */
#define BLOCK_SIZE 2000
#define ALIGNMENT  alignof(max_align_t)

struct http_block {
	struct http_block *next;
	size_t size;
	size_t used;
	alignas(max_align_t) char data[];
};

static struct http_block *add_block(struct http_memory *memory, size_t size)
{
	struct http_block *block;

	if (size > SIZE_MAX / 2)
		return NULL;
	size = MAX(size, BLOCK_SIZE);
	block = weft__alloc(sizeof(*block) + size);
	if (!block)
		return NULL;
	block->size = size;
	block->used = 0;
	block->next = memory->blocks;
	memory->blocks = block;
	return block;
}

void *weft__http_memory_alloc(struct http_memory *memory, size_t size)
{
	struct http_block *block = memory->blocks;
	char *data;

	if (!block || size > block->size - block->used) {
		block = add_block(memory, size);
		if (!block)
			return NULL;
	}
	data = block->data + block->used;
	block->used +=
		MIN((size + ALIGNMENT - 1) & ~(ALIGNMENT - 1), block->size - block->used);
	return data;
}

char *weft__http_memory_copy(struct http_memory *memory, const char *text, size_t size)
{
	char *copy = weft__http_memory_alloc(memory, size + 1);

	if (copy) {
		memcpy(copy, text, size);
		copy[size] = '\0';
	}
	return copy;
}

void weft__http_memory_reset(struct http_memory *memory)
{
	struct http_block *block = memory->blocks;
	struct http_block *next;

	if (!block)
		return;
	for (; (next = block->next); block = next)
		free(block);
	memory->blocks = block;
	block->used = 0;
	/* One that was made for a large request is not worth its memory while idle. */
	if (block->size > BLOCK_SIZE)
		weft__http_memory_fini(memory);
}

void weft__http_memory_fini(struct http_memory *memory)
{
	struct http_block *next;

	for (struct http_block *block = memory->blocks; block; block = next) {
		next = block->next;
		free(block);
	}
	memory->blocks = NULL;
}
