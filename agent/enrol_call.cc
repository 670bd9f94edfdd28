#include "agent/enrol_call.h"

#include <grpcpp/grpcpp.h>

#include <chrono>

#include "common/limits.h"
#include "oppetid/v1/telemetry.grpc.pb.h"

namespace oppetid::agent {
namespace {

constexpr auto kAnswerWithin = std::chrono::seconds(20);

}  // namespace

absl::StatusOr<v1::EnrolReply> CallEnrol(const std::string& address, const std::string& ca,
                                         const v1::EnrolRequest& request) {
  grpc::SslCredentialsOptions tls;
  tls.pem_root_certs = ca;
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetMaxReceiveMessageSize(limits::kFrameBytes);
  const auto channel = grpc::CreateCustomChannel(address, grpc::SslCredentials(tls), arguments);
  const auto stub = v1::Enrolment::NewStub(channel);
  grpc::ClientContext context;
  context.set_deadline(gpr_time_add(
      gpr_now(GPR_CLOCK_MONOTONIC),
      gpr_time_from_seconds(std::chrono::seconds(kAnswerWithin).count(), GPR_TIMESPAN)));
  v1::EnrolReply reply;
  const grpc::Status status = stub->Enrol(&context, request, &reply);
  if (status.ok()) return reply;
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

}  // namespace oppetid::agent
