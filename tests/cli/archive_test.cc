// Archives arrive as they are; hostile ones are refused with the entry named.
#include "cli/context/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>

#include <functional>
#include <map>
#include <string>

#include "common/os/files.h"
#include "common/os/subprocess.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/scratch.h"

namespace manyarch::cli {
namespace {

using testing::HasSubstr;

// Makes an archive entry by entry, so that it can have what tar would not write.
class Maker {
 public:
  explicit Maker(const std::string& path) : out_(archive_write_new()) {
    archive_write_set_format_pax_restricted(out_);
    archive_write_open_filename(out_, path.c_str());
  }
  void Add(const std::string& name, mode_t type, const std::string& bytes = "",
           const std::function<void(archive_entry*)>& more = {}) {
    archive_entry* entry = archive_entry_new();
    archive_entry_copy_pathname(entry, name.c_str());
    archive_entry_set_filetype(entry, type);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, static_cast<int64_t>(bytes.size()));
    if (more) more(entry);
    EXPECT_EQ(archive_write_header(out_, entry), ARCHIVE_OK) << archive_error_string(out_);
    archive_write_data(out_, bytes.data(), bytes.size());
    archive_entry_free(entry);
  }
  void Close() { archive_write_free(out_); }

 private:
  archive* out_;
};

class ArchiveTest : public testing::Test {
 protected:
  absl::StatusOr<Node> Read(const std::string& path, const ArchiveLimits& limits = {}) {
    const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    std::string head(512, '\0');
    head.resize(static_cast<size_t>(read(fd.get(), head.data(), head.size())));
    EXPECT_TRUE(LooksLikeArchive(head));
    return ReadArchive(fd.get(), head, scratch_.At("spool" + std::to_string(++spools_)), limits);
  }
  std::string Refusal(const std::function<void(Maker&)>& fill, const ArchiveLimits& limits = {}) {
    Maker maker(scratch_.At("bad.tar"));
    fill(maker);
    maker.Close();
    const auto node = Read(scratch_.At("bad.tar"), limits);
    EXPECT_EQ(node.status().code(), absl::StatusCode::kInvalidArgument) << node.status();
    return std::string(node.status().message());
  }
  static void Flatten(const Node& node, const std::string& prefix,
                      std::map<std::string, std::string>& out) {
    for (const Node& child : node.children) {
      const std::string path = prefix + child.name;
      if (child.kind == Node::Kind::kSymlink) out[path] = "-> " + child.target;
      if (child.kind == Node::Kind::kFile) {
        out[path] =
            *ReadRange(child.stored->file, child.stored->offset, child.stored->content.size);
      }
      if (child.kind == Node::Kind::kDirectory) {
        out[path] = "dir";
        Flatten(child, path + "/", out);
      }
    }
  }

  Scratch scratch_;
  int spools_ = 0;
};

TEST_F(ArchiveTest, ArrivesAsItWasInEveryCompression) {
  scratch_.File("t/Containerfile", "FROM x\n");
  scratch_.File("t/run", "program", 0755);
  scratch_.File("t/new\nline", "n");
  scratch_.File("t/\xff\xfe", "bytes");
  scratch_.File("t/\xc3\xa4", "umlaut");
  scratch_.File("t/big", std::string(3 << 20, 'b'));
  scratch_.File("t/" + std::string(200, 'd') + "/" + std::string(200, 'f'), "long");
  scratch_.Dir("t/hollow", 0750);
  scratch_.Link("t/abs", "/etc/passwd");
  ASSERT_EQ(link(scratch_.At("t/run").c_str(), scratch_.At("t/same").c_str()), 0);
  std::map<std::string, std::string> first;
  for (const char* format : {"gnu", "pax"}) {
    for (const char* compression : {"--gzip", "--xz", "--zstd", "--bzip2", "--no-auto-compress"}) {
      SCOPED_TRACE(std::string(format) + compression);
      const std::string path = scratch_.At("t.tar");
      ASSERT_TRUE(RunChecked({.argv = {"tar", "-C", scratch_.At("t"), "--format", format,
                                       compression, "-cf", path, "."}})
                      .ok());
      const auto root = Read(path);
      ASSERT_TRUE(root.ok()) << root.status();
      std::map<std::string, std::string> out;
      Flatten(*root, "", out);
      EXPECT_EQ(out.size(), 11u);
      EXPECT_EQ(out["\xff\xfe"], "bytes");
      EXPECT_EQ(out["\xc3\xa4"], "umlaut");
      EXPECT_EQ(out["new\nline"], "n");
      EXPECT_EQ(out["abs"], "-> /etc/passwd");
      EXPECT_EQ(out["hollow"], "dir");
      EXPECT_EQ(out["same"], "program");
      EXPECT_EQ(out["big"].size(), size_t{3} << 20);
      EXPECT_EQ(out[std::string(200, 'd') + "/" + std::string(200, 'f')], "long");
      for (const Node& node : root->children) {
        const bool program = node.name == "run" || node.name == "same";
        EXPECT_EQ(node.mode == 0755u, program || node.children.size() == 1) << node.name;
        EXPECT_EQ(node.mode == 0750u, node.name == "hollow") << node.name;
      }
      if (first.empty()) first = out;
      EXPECT_EQ(out, first);
    }
  }
}

TEST_F(ArchiveTest, ImpliedDirectoriesAreMade) {
  Maker maker(scratch_.At("t.tar"));
  maker.Add("a/b/c", AE_IFREG, "x");
  maker.Add("a", AE_IFDIR);
  maker.Close();
  const auto root = Read(scratch_.At("t.tar"));
  ASSERT_TRUE(root.ok()) << root.status();
  EXPECT_EQ(root->children[0].mode, 0644u);
  EXPECT_EQ(root->children[0].children[0].mode, 0755u);
}

TEST_F(ArchiveTest, HostileEntriesAreRefusedByName) {
  const auto one = [&](const std::string& name, mode_t type,
                       const std::function<void(archive_entry*)>& more = {}) {
    return Refusal([&](Maker& m) { m.Add(name, type, "", more); });
  };
  EXPECT_THAT(one("/etc/cron.d/x", AE_IFREG), HasSubstr("'/etc/cron.d/x' is an absolute path"));
  EXPECT_THAT(one("a/../../x", AE_IFREG), HasSubstr("'a/../../x' has '..'"));
  EXPECT_THAT(one("..", AE_IFDIR), HasSubstr("has '..' in it"));
  EXPECT_THAT(one("dev/sda", AE_IFBLK), HasSubstr("'dev/sda' is a device"));
  EXPECT_THAT(one("tty", AE_IFCHR), HasSubstr("'tty' is a device"));
  EXPECT_THAT(one("pipe", AE_IFIFO), HasSubstr("'pipe' is a named pipe"));
  EXPECT_THAT(one("l", AE_IFREG,
                  [](archive_entry* e) { archive_entry_set_hardlink(e, "../../etc/shadow"); }),
              HasSubstr("'l' is a hard link to '../../etc/shadow', which leads out"));
  EXPECT_THAT(
      one("l", AE_IFREG, [](archive_entry* e) { archive_entry_set_hardlink(e, "/etc/shadow"); }),
      HasSubstr("which leads out"));
  EXPECT_THAT(one("l", AE_IFREG, [](archive_entry* e) { archive_entry_set_hardlink(e, "later"); }),
              HasSubstr("which is not before it"));
  EXPECT_THAT(Refusal([](Maker& m) {
                m.Add("same", AE_IFREG, "1");
                m.Add("./same", AE_IFREG, "2");
              }),
              HasSubstr("'./same' comes twice"));
  EXPECT_THAT(Refusal([](Maker& m) {
                m.Add("d", AE_IFLNK, "",
                      [](archive_entry* e) { archive_entry_set_symlink(e, "/tmp"); });
                m.Add("d/file", AE_IFREG, "x");
              }),
              HasSubstr("'d/file' is below 'd', which is no directory"));
  EXPECT_THAT(one(std::string(300, 'n'), AE_IFREG), HasSubstr("over 255 bytes"));
}

TEST_F(ArchiveTest, SparseFilesAreRefused) {
  scratch_.File("t/x", "x");
  ASSERT_EQ(truncate(scratch_.At("t/x").c_str(), 50 << 20), 0);
  for (const char* format : {"gnu", "pax"}) {
    ASSERT_TRUE(RunChecked({.argv = {"tar", "-C", scratch_.At("t"), "--sparse", "--format", format,
                                     "-cf", scratch_.At("t.tar"), "."}})
                    .ok());
    const auto root = Read(scratch_.At("t.tar"));
    EXPECT_THAT(std::string(root.status().message()), HasSubstr("is a sparse file")) << format;
  }
}

TEST_F(ArchiveTest, KeepsToTheLimits) {
  ArchiveLimits limits;
  limits.max_entries = 3;
  EXPECT_THAT(Refusal(
                  [](Maker& m) {
                    for (const char* name : {"1", "2", "3", "4"}) m.Add(name, AE_IFREG);
                  },
                  limits),
              HasSubstr("'4' is one more than the 3 entries"));
  limits = {};
  limits.max_bytes = 10;
  EXPECT_THAT(Refusal([](Maker& m) { m.Add("big", AE_IFREG, "0123456789x"); }, limits),
              HasSubstr("'big' takes the context over 10 bytes"));
  // A file's bytes count for each of its hard links: they become copies.
  limits.max_bytes = 15;
  EXPECT_THAT(Refusal(
                  [](Maker& m) {
                    m.Add("a", AE_IFREG, "0123456789");
                    m.Add("b", AE_IFREG, "",
                          [](archive_entry* e) { archive_entry_set_hardlink(e, "a"); });
                  },
                  limits),
              HasSubstr("'b' takes the context over 15 bytes"));
  limits = {};
  limits.max_depth = 2;
  EXPECT_THAT(Refusal([](Maker& m) { m.Add("a/b/c", AE_IFREG); }, limits),
              HasSubstr("'a/b/c' is more than 2 directories deep"));
}

TEST_F(ArchiveTest, WhatUnpacksToFarMoreThanWasReadIsRefused) {
  scratch_.File("t/zeros", std::string(40 << 20, '\0'));
  ASSERT_TRUE(RunChecked({.argv = {"tar", "-C", scratch_.At("t"), "--zstd", "-cf",
                                   scratch_.At("bomb"), "."}})
                  .ok());
  ArchiveLimits limits;
  limits.ratio_from = 8 << 20;
  EXPECT_THAT(std::string(Read(scratch_.At("bomb"), limits).status().message()),
              HasSubstr("'./zeros' unpacks to more than 1000 times what was read"));
  EXPECT_TRUE(Read(scratch_.At("bomb")).ok());
}

TEST_F(ArchiveTest, ABrokenArchiveIsAnError) {
  scratch_.File("t/x", std::string(100'000, 'x'));
  ASSERT_TRUE(
      RunChecked({.argv = {"tar", "-C", scratch_.At("t"), "-cf", scratch_.At("t.tar"), "."}}).ok());
  ASSERT_EQ(truncate(scratch_.At("t.tar").c_str(), 50'000), 0);
  EXPECT_EQ(Read(scratch_.At("t.tar")).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(LooksLikeArchive, TellsTarFromText) {
  EXPECT_FALSE(LooksLikeArchive("FROM scratch\n"));
  EXPECT_FALSE(LooksLikeArchive(""));
  EXPECT_TRUE(LooksLikeArchive(absl::string_view("\x1f\x8b\x08", 3)));
}

}  // namespace
}  // namespace manyarch::cli
