// manyarch doctor
#include <memory>
#include <thread>

#include "cli/client.h"
#include "cli/commands/command.h"
#include "cli/commands/registry_flags.h"
#include "cli/commands/secrets.h"
#include "cli/doctor/checkup.h"
#include "cli/farms.h"

namespace manyarch::cli {

namespace {

struct DoctorFlags {
  image::RegistryFlags registry;
  std::vector<std::string> references;
  std::string image_format = "docker";
  std::string format = "table";
};

int RunDoctor(const DoctorFlags& flags, const Invocation& invocation) {
  using doctor::Finding;
  const v1::ImageFormat format =
      flags.image_format == "oci" ? v1::IMAGE_FORMAT_OCI : v1::IMAGE_FORMAT_DOCKER;
  std::vector<Finding> here;
  // Registries may take their time; the controller is asked meanwhile.
  std::thread from_here([&] {
    if (flags.references.empty()) return;
    here = doctor::CheckFromHere(flags.registry, flags.references, format);
  });
  Client client(invocation.controller);
  const bool needed = flags.references.empty() || invocation.controller != kDefaultController;
  std::vector<Finding> findings = doctor::CheckFarm(client, needed);
  const bool answers = findings.front().result == doctor::Result::kOk;
  std::vector<std::string> tags;
  for (const std::string& reference : flags.references) {
    if (!doctor::IsRegistry(reference)) tags.push_back(reference);
  }
  bool told = false;
  if (answers && !tags.empty()) {
    // As a job would have it that is given the same file.
    const absl::StatusOr<std::string> authfile = ReadJobAuthfile(flags.registry.authfile);
    if (!authfile.ok()) {
      findings.push_back({"client", flags.registry.authfile, "authfile for a job",
                          doctor::Result::kWarning, std::string(authfile.status().message()),
                          false});
    }
    for (Finding& finding :
         doctor::CheckFromController(client, tags, format, authfile.value_or(""))) {
      told = told || finding.what == "push";
      findings.push_back(std::move(finding));
    }
  }
  from_here.join();
  if (told) doctor::DemoteFailuresHere(here);
  findings.insert(findings.end(), here.begin(), here.end());
  Print(flags.format == "json" ? doctor::FindingsJson(findings) : doctor::FindingsTable(findings));
  return doctor::ExitCodeOf(findings);
}

}  // namespace

void AddDoctor(CLI::App& app, Invocation& invocation) {
  CLI::App* command = NewCommand(
      app, invocation, "doctor",
      "Check the controller, its workers, and whether tags can be written; changes nothing");
  const auto flags = std::make_shared<DoctorFlags>();
  command
      ->add_option("REFERENCE", flags->references,
                   "Tags to be written, or registries: checked from here with your own credentials "
                   "and from the controller with its own, or with those of --authfile")
      ->type_name("");
  command->add_option("--image-format", flags->image_format, "Of the lists: docker or oci")
      ->check(CLI::IsMember({"docker", "oci"}))
      ->type_name("FORMAT");
  AddFormat(*command, flags->format);
  AddRegistryFlags(*command, flags->registry);
  command->footer("Exit status: 0 nothing failed, 1 a job would be refused, 3 no answer.");
  command->callback([flags, &invocation] {
    invocation.run = [flags, &invocation] { return RunDoctor(*flags, invocation); };
  });
}

}  // namespace manyarch::cli
