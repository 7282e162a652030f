/*
 * Is this a build with a sanitizer? gcc defines a macro of its own, clang answers a question.
 */
#ifndef WEFT_BASE_SANITIZER_H
#define WEFT_BASE_SANITIZER_H

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BUILT_WITH_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define BUILT_WITH_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define BUILT_WITH_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define BUILT_WITH_TSAN 1
#endif

#endif
