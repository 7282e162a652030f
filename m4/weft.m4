dnl WEFT_APPEND_CFLAGS(FLAGS): appends to WEFT_CFLAGS those that the compiler knows.
dnl Without -Werror clang would merely warn that a flag is unknown or has no effect here.
AC_DEFUN([WEFT_APPEND_CFLAGS], [
  for weft_flag in m4_normalize([$1]); do
    AC_MSG_CHECKING([whether $CC knows $weft_flag])
    weft_append_saved_CFLAGS=$CFLAGS
    CFLAGS="$CFLAGS -Werror $weft_flag"
    AC_COMPILE_IFELSE([AC_LANG_SOURCE([int weft_check_flag;])],
      [AC_MSG_RESULT([yes])
       WEFT_CFLAGS="$WEFT_CFLAGS $weft_flag"],
      [AC_MSG_RESULT([no])])
    CFLAGS=$weft_append_saved_CFLAGS
  done
])
