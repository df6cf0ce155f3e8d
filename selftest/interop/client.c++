// Stages a system set over a system's control socket, and prints a line for all it sees:
//
//   progress PHASE DONE TOTAL     for each call of the callback
//   refused REASON: DETAIL        instead of the rest, where the system refuses
//   staged SLOT VERSION DIGEST
//   bundle NAME VERSION           for each in the set
//   active SLOT, staged SLOT      as the status has it then
//
// Usage: client CONTROL_SOCKET FILE.nxs

#include <capnp/rpc-twoparty.h>
#include <kj/async-io.h>
#include <kj/encoding.h>
#include <kj/filesystem.h>
#include <kj/main.h>

#include <iostream>

#include "operator.capnp.h"
#include "update.capnp.h"

namespace {

// The largest piece of an archive that a sink takes.
constexpr size_t kChunk = MAX_CHUNK_BYTES;

template <typename Enum>
std::string enumerant(Enum value) {
  return kj::str(value).cStr();
}

// Printer is what the system calls while it receives. The system drops it once it has told everything, which may be after done() has
// returned; then it is destroyed.
class Printer final : public StageProgress::Server {
 public:
  explicit Printer(kj::Own<kj::PromiseFulfiller<void>> dropped) : dropped(kj::mv(dropped)) {}
  ~Printer() noexcept(false) { dropped->fulfill(); }

  kj::Promise<void> onProgress(OnProgressContext context) override {
    auto p = context.getParams().getProgress();
    std::cout << "progress " << enumerant(p.getPhase()) << " " << p.getDoneBytes() << " " << p.getTotalBytes() << std::endl;
    return kj::READY_NOW;
  }

 private:
  kj::Own<kj::PromiseFulfiller<void>> dropped;
};

// refused tells whether the system refused; then it prints why. An empty reason is no refusal.
bool refused(Refusal::Reader refusal) {
  if (refusal.getReason().size() == 0) return false;
  std::cout << "refused " << refusal.getReason().cStr() << ": " << refusal.getDetail().cStr() << std::endl;
  return true;
}

// pour sends the archive in pieces; the library waits with each for the flow of those before it.
void pour(StageSink::Client sink, kj::ArrayPtr<const kj::byte> archive, kj::WaitScope& scope) {
  while (archive.size() > 0) {
    auto piece = archive.slice(0, kj::min(archive.size(), kChunk));
    auto request = sink.writeRequest();
    request.setBytes(piece);
    request.send().wait(scope);
    archive = archive.slice(piece.size(), archive.size());
  }
}

void describe(StagedSystem::Client system, kj::WaitScope& scope) {
  auto answer = system.describeRequest().send().wait(scope);
  auto info = answer.getSystem();
  std::cout << "staged " << enumerant(info.getSlot()) << " " << info.getSystemVersion().cStr() << " "
            << kj::encodeHex(info.getIndexSha256()).cStr() << std::endl;
  for (auto bundle : info.getBundles()) {
    std::cout << "bundle " << bundle.getName().cStr() << " " << bundle.getVersion().cStr() << std::endl;
  }
}

void stage(Operator::Client system, kj::ArrayPtr<const kj::byte> archive, kj::WaitScope& scope) {
  // The chain of two calls is sent at once: the second goes to what the first will return.
  auto toldAll = kj::newPromiseAndFulfiller<void>();
  auto updated = system.updatedRequest().send().getUpdated();
  auto request = updated.stageSystemRequest();
  request.setSizeBytes(archive.size());
  request.setProgress(kj::heap<Printer>(kj::mv(toldAll.fulfiller)));
  auto begun = request.send().wait(scope);
  if (refused(begun.getRefusal())) return;

  auto sink = begun.getSink();
  try {
    pour(sink, archive, scope);
  } catch (const kj::Exception&) {
    // The stage was refused on the way; done() says why.
  }
  auto done = sink.doneRequest().send().wait(scope);
  toldAll.promise.wait(scope);
  if (refused(done.getRefusal())) return;
  describe(done.getSystem(), scope);

  auto answer = updated.getStatusRequest().send().wait(scope);
  auto status = answer.getStatus();
  std::cout << "active " << enumerant(status.getActive()) << ", staged " << enumerant(status.getStaged()) << std::endl;
}

}  // namespace

int main(int argc, char* argv[]) {
  if (argc != 3) {
    std::cerr << "usage: client CONTROL_SOCKET FILE.nxs" << std::endl;
    return 2;
  }
  try {
    auto disk = kj::newDiskFilesystem();
    auto archive = disk->getRoot().openFile(disk->getCurrentPath().evalNative(argv[2]))->readAllBytes();
    auto io = kj::setupAsyncIo();
    auto address = io.provider->getNetwork().parseAddress(kj::str("unix:", argv[1])).wait(io.waitScope);
    auto connection = address->connect().wait(io.waitScope);
    capnp::TwoPartyClient client(*connection);
    stage(client.bootstrap().castAs<Operator>(), archive, io.waitScope);
  } catch (const kj::Exception& e) {
    std::cerr << "client: " << kj::str(e).cStr() << std::endl;
    return 1;
  }
  return 0;
}
