/*
 * The intrusive list.
 */
#include "base/list.h"
#include "tests/test.h"

struct item {
	int number;
	struct list link;
};

static struct item item[4];
static struct list list;

static void setup(void)
{
	list_init(&list);
	for (int i = 0; i < 4; i++) {
		item[i].number = i;
		list_init(&item[i].link);
	}
}

/* The list holds exactly these numbers, forwards and backwards. */
static void expect_numbers(struct list *head, int n, const int *numbers)
{
	struct list *back = head->prev;
	int i = 0;

	list_for_each (link, head) {
		cr_assert_lt(i, n, "too long");
		cr_expect_eq(list_entry(link, struct item, link)->number, numbers[i],
			     "at %d", i);
		i++;
	}
	cr_expect_eq(i, n, "%d items", i);
	for (i = n - 1; i >= 0; i--, back = back->prev)
		cr_assert_eq(list_entry(back, struct item, link)->number, numbers[i],
			     "backwards at %d", i);
	cr_expect_eq(back, head);
}

#define EXPECT_NUMBERS(head, ...)                                        \
	expect_numbers(head, ARRAY_SIZE(((const int[]){ __VA_ARGS__ })), \
		       (const int[]){ __VA_ARGS__ })

Test(list, starts_empty_and_its_links_unlinked, .init = setup)
{
	cr_expect(list_is_empty(&list));
	cr_expect_not(list_is_linked(&item[0].link));
	cr_expect_null(list_pop_front(&list));
}

Test(list, keeps_the_order_of_both_ends, .init = setup)
{
	list_push_back(&list, &item[1].link);
	list_push_back(&list, &item[2].link);
	list_push_front(&list, &item[0].link);
	cr_expect_not(list_is_empty(&list));
	cr_expect(list_is_linked(&item[1].link));
	EXPECT_NUMBERS(&list, 0, 1, 2);
}

Test(list, gives_its_items_from_the_front, .init = setup)
{
	for (int i = 0; i < 3; i++)
		list_push_back(&list, &item[i].link);
	for (int i = 0; i < 3; i++) {
		cr_expect_eq(list_pop_front(&list), &item[i].link, "item %d", i);
		cr_expect_not(list_is_linked(&item[i].link), "item %d", i);
	}
	cr_expect(list_is_empty(&list));
}

Test(list, lets_an_item_leave_twice, .init = setup)
{
	for (int i = 0; i < 3; i++)
		list_push_back(&list, &item[i].link);
	list_unlink(&item[1].link);
	list_unlink(&item[1].link);
	cr_expect_not(list_is_linked(&item[1].link));
	EXPECT_NUMBERS(&list, 0, 2);
}

Test(list, moves_as_a_whole, .init = setup)
{
	struct list from;

	list_init(&from);
	list_splice(&list, &from);
	cr_expect(list_is_empty(&list), "empty into empty");
	list_push_back(&from, &item[2].link);
	list_push_back(&from, &item[3].link);
	list_splice(&list, &from);
	EXPECT_NUMBERS(&list, 2, 3);
	cr_expect(list_is_empty(&from), "all have left");
	list_push_back(&from, &item[0].link);
	list_push_back(&from, &item[1].link);
	list_splice(&list, &from);
	EXPECT_NUMBERS(&list, 2, 3, 0, 1);
}

Test(list, may_lose_the_visited_item, .init = setup)
{
	for (int i = 0; i < 4; i++)
		list_push_back(&list, &item[i].link);
	list_for_each_safe (link, &list) {
		if (list_entry(link, struct item, link)->number % 2 == 0)
			list_unlink(link);
	}
	EXPECT_NUMBERS(&list, 1, 3);
}
