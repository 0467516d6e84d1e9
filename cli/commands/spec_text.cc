#include "cli/commands/spec_text.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"

namespace manyarch::cli {

namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// "build_args" → "build arg"
std::string WordsOf(const FieldDescriptor& field) {
  const std::string words = absl::StrReplaceAll(field.name(), {{"_", " "}});
  return std::string(field.is_repeated() ? absl::StripSuffix(words, "s")
                                         : absl::string_view(words));
}

absl::Status CheckText(const std::string& what, const std::string& text) {
  if (IsUtf8(text)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("the job's ", what, " '", EscapedText(text),
                                                 "' is not UTF-8, as all of its text must be"));
}

absl::Status Check(const std::string& of, const Message& message) {
  const Reflection& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const std::string what = absl::StrCat(of, of.empty() ? "" : " ", WordsOf(*field));
    const int count = field->is_repeated() ? reflection.FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      if (field->type() == FieldDescriptor::TYPE_STRING) {
        MA_RETURN_IF_ERROR(CheckText(what, field->is_repeated()
                                               ? reflection.GetRepeatedString(message, field, i)
                                               : reflection.GetString(message, field)));
      } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        // Build options are of the job as well.
        MA_RETURN_IF_ERROR(Check(field->name() == "options" ? of : what,
                                 field->is_repeated()
                                     ? reflection.GetRepeatedMessage(message, field, i)
                                     : reflection.GetMessage(message, field)));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckSpecText(const Message& spec) { return Check("", spec); }

}  // namespace manyarch::cli
