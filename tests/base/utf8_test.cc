#include "common/base/utf8.h"

#include "gtest/gtest.h"

namespace manyarch {
namespace {

TEST(ToUtf8, ReplacesWhatIsNotUtf8) {
  EXPECT_EQ(ToUtf8("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80"),
            "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80");
  EXPECT_EQ(ToUtf8("a\xff\xfe b\xc3"), "a?? b?");
  EXPECT_EQ(ToUtf8("\xc0\xaf"), "??");            // Overlong.
  EXPECT_EQ(ToUtf8("\xed\xa0\x80"), "???");       // A surrogate.
  EXPECT_EQ(ToUtf8("\xf4\x90\x80\x80"), "????");  // Beyond Unicode.
}

TEST(EscapedText, IsOneLineOfUtf8WhateverTheBytes) {
  EXPECT_EQ(EscapedText("a b\xc3\xbc/\xe2\x82\xac"), "a b\xc3\xbc/\xe2\x82\xac");
  EXPECT_EQ(EscapedText("a\nb\x1b[0m\xff\xc3'"), R"(a\nb\x1b[0m\xff\xc3\')");
  EXPECT_EQ(EscapedText("\xc2\x9b"
                        "2J\xc2\xa0"),
            R"(\xc2\x9b)"
            "2J\xc2\xa0");
  EXPECT_EQ(EscapedText(""), "");
}

TEST(ControlLength, IsThatOfTheFirstCharacterWhereItIsOne) {
  EXPECT_EQ(ControlLength("\x1b[0m"), 1u);
  EXPECT_EQ(ControlLength("\t"), 1u);
  EXPECT_EQ(ControlLength("\xc2\x9b"
                          "2J"),
            2u);
  for (const char* text : {"a\n", "\xc2\xa0", "\xc2", "\xc2x", "\x9b", "\xc3\x9b"}) {
    EXPECT_EQ(ControlLength(text), 0u) << text;
  }
}

TEST(HasControlCharacters, FindsThoseOfAsciiAndOfUnicode) {
  EXPECT_FALSE(HasControlCharacters("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xc2\xa0~\xff"));
  for (const char* text : {"a\n", "\x1b[0m", "\x7f", "x\xc2\x80",
                           "\xc2\x9f"
                           "2J"}) {
    EXPECT_TRUE(HasControlCharacters(text)) << text;
  }
}

}  // namespace
}  // namespace manyarch
