#include "controller/rpc/offer.h"

#include <utility>

#include "common/base/status_macros.h"
#include "controller/wire/convert.h"
#include "controller/wire/times.h"

namespace manyarch::controller::rpc {

absl::StatusOr<v1::Offer> MakeOffer(const core::SendOffer& effect, RegistryPort& registry,
                                    SecretPort& secrets) {
  const core::JobSpec& spec = *effect.spec;
  const std::string& repository = spec.tags.front().repository;
  v1::Offer offer;
  offer.set_attempt_id(effect.attempt_id);
  offer.set_job_id(effect.job_id);
  *offer.mutable_platform() = wire::ToProto(effect.platform);
  offer.set_emulated(effect.emulated);
  offer.set_context_root(spec.context_root);
  offer.mutable_options()->ParseFromString(spec.options);
  offer.set_repository(repository);
  offer.set_format(effect.spec->format == core::ImageFormat::kOci ? v1::IMAGE_FORMAT_OCI
                                                                  : v1::IMAGE_FORMAT_DOCKER);
  *offer.mutable_timeout() = wire::ToProto(spec.build_timeout);
  offer.set_binary_check(wire::ToProto(spec.binary_check));
  *offer.mutable_registry() = registry.AccessFor(repository);
  if (spec.sealed.empty()) return offer;
  MA_ASSIGN_OR_RETURN(JobSecrets opened, secrets.Unseal(effect.job_id, spec.sealed));
  for (v1::Secret& secret : opened.secrets) *offer.add_secrets() = std::move(secret);
  for (v1::Secret& key : opened.ssh_keys) *offer.add_ssh_keys() = std::move(key);
  if (!opened.authfile.empty()) {
    offer.mutable_registry()->set_authfile(std::move(opened.authfile));
  }
  return offer;
}

}  // namespace manyarch::controller::rpc
