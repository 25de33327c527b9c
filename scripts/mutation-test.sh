#!/usr/bin/env bash
# Breaks one guarantee at a time in a copy of the repository and demands that named tests notice: a test that passes
# whatever the program does proves nothing. What is tested is what is committed. Not part of .ci/run: each mutation is a
# build of its own, and all of them take about ten minutes on two cores.
#
#   scripts/mutation-test.sh [--copy <directory>] [<name of a mutation> …]      (default: all of them)
#
# --copy keeps the copy there, so that the next run need not build from nothing.
# The patterns are Swift, where $0 is Swift's too.
# shellcheck disable=SC2016
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

copy="$WORK/copy"
if [ "${1:-}" = --copy ]; then
  [ -n "${2:-}" ] || die '--copy needs a directory'
  copy=$(absolute "$2")
  shift 2
fi
wanted=" $* "
core=Sources/OrderStreamCore embedded=Sources/OrderStreamEmbedded
survivors=0 table='' pass=baseline baseline=''

say() { printf '%s  %s\n' "$(date +%H:%M:%S)" "$*"; }

# In the copy, with the toolchain's noise in a file.
build() { (cd "$copy" && swift build --build-tests) >"$WORK/build.txt" 2>&1; }
build_failed() { # what that means
  tail -n 20 "$WORK/build.txt" >&2
  die "$1"
}
run_tests() { (cd "$copy" && swift test --skip-build --filter "$1") >"$WORK/tests.txt" 2>&1 </dev/null; }

# mutation <name> <guarantee> <tests> {<file> <text> <replacement>} …: every text must be there exactly once.
mutation() {
  local name=$1 guarantee=$2 tests=$3 verdict failed
  shift 3
  case "$wanted" in '  ' | *" $name "*) ;; *) return 0 ;; esac
  if [ "$pass" = baseline ]; then
    baseline="${baseline:+$baseline|}$tests"
    return 0
  fi
  git -C "$copy" checkout -q -- .
  while [ $# -gt 0 ]; do
    FROM=$2 TO=$3 perl -0777 -i -pe '
      my $count = () = /\Q$ENV{FROM}\E/g;
      die "$ARGV has the text of the mutation $count times\n" if $count != 1;
      s/\Q$ENV{FROM}\E/$ENV{TO}/' "$copy/$1" || die "the mutation $name no longer fits"
    shift 3
  done
  build || build_failed "the mutation $name does not compile"
  if run_tests "$tests"; then
    verdict='SURVIVED' failed='none'
    survivors=$((survivors + 1))
  else
    # A precondition that ends the test process fails without a line for its test.
    failed=$(grep -cE '^✘ Test [^r].* failed after' "$WORK/tests.txt" || true)
    [ "$failed" -gt 0 ] || failed=crash
    verdict='noticed'
  fi
  say "$name: $verdict"
  table="$table| $name | $guarantee | \`${tests//|/\`, \`}\` | $verdict | $failed |"$'\n'
}

if [ -d "$copy/.git" ]; then
  git -C "$copy" checkout -q -- .
  git -C "$copy" fetch -q "$ROOT" HEAD
  git -C "$copy" checkout -q --detach FETCH_HEAD
else
  git clone -q "$ROOT" "$copy"
fi
say 'building the copy as it is'
# Objects of an older copy do not always fit.
build || { (cd "$copy" && swift package clean) && build; } || build_failed 'the repository does not build'

mutations() {
  mutation commit-before-effect 'offsets move with the output' 'SweepTests/inventory' \
    "$embedded/Consuming/EmbeddedTransaction.swift" \
    '    try connection.write("cannot commit to the group \(member.store.group.name)") { scope in' \
    '    try connection.write("offsets first") { scope in
      let rows = try owned(scope, offsets, by: identity)
      for offset in offsets {
        try CommittedOffsets.put(scope, group: group, partition: rows[offset.partition]!, offset.offset)
      }
    }
    try connection.write("cannot commit to the group \(member.store.group.name)") { scope in'

  mutation false-acknowledgement 'acknowledged events are on the log' 'DiskTests/full|DiskTests/limited|DiskTests/failing' \
    "$embedded/Producing/EmbeddedProducer.swift" 'queue.fail(chunks, error)' 'queue.acknowledge(chunks)'

  mutation no-full 'a commit is synchronised before its acknowledgement' 'OpeningTests/settings|DiskTests/synchronised' \
    "$embedded/Storage/LogSchema.swift" 'PRAGMA synchronous = FULL; ' 'PRAGMA synchronous = NORMAL; ' \
    "$embedded/Storage/LogSchema.swift" '"PRAGMA synchronous") == 2' '"PRAGMA synchronous") == 1'

  mutation no-fencing 'nothing of an old generation lands' 'GroupContractTests/zombie|MemberTests/zombie' \
    "$embedded/Consuming/EmbeddedTransaction.swift" \
    'try store.owns(scope.database, row, identity.id, generation: identity.generation) {' 'identity.generation >= 0 {' \
    "$embedded/Consuming/EmbeddedTransaction.swift" 'if !isMember || rows.count < needed.count {' \
    'if isMember && rows.count < needed.count {'

  mutation dead-forever 'partitions of a dead member are taken over' 'GroupTests/takeover|GroupContractTests/takeover' \
    "$embedded/Groups/MemberFile.swift" 'if try file.tryLock(.shared) { return false }' \
    'if try file.tryLock(.shared) { return true }'

  mutation dropped-dead-letter 'poison never vanishes' 'DeadLetterTests' \
    "$core/Inventory/InventoryProjection.swift" \
    'if try !letters.send(record, poison, at: now, to: transaction) { counts.truncatedDeadLetters += 1 }' 'break'

  mutation skipped-batch-crc 'a damaged batch is named' 'DamagedLogTests|CrashTests.DamageTests/seeded' \
    "$embedded/Storage/StoredBatch.swift" 'if crc != Int64(checksum.crc(of: payload)) {' 'if crc == -1 {'

  mutation skipped-row-crc 'a damaged row is named' 'DamagedLogTests/rowChecksums' \
    "$embedded/Storage/LogSchema.swift" 'if stored != Int64(value) {' 'if stored == -1 {'

  mutation no-structure-check 'rows that are hidden are missed' 'CrashTests.DamageTests/seeded' \
    "$embedded/EmbeddedBroker.swift" '    try anchor.checkStructure()
  ' ''

  mutation no-mark 'a log that lost its tail is noticed' 'DamagedLogTests/lostTail|DamagedLogTests/olderCopy' \
    "$embedded/Storage/LogConnection.swift" 'try marks.update(scope.movedEnds)' 'try marks.update([])' \
    "$embedded/Storage/LogConnection.swift" \
    'if let change = scope.change { try marks.update(changes: change) }' ''

  mutation no-change-count 'an older copy is noticed without a missing record' 'CrashTests.DamageTests/olderGroups' \
    "$embedded/Storage/LogConnection.swift" \
    'if let change = scope.change { try marks.update(changes: change) }' ''

  mutation no-ends-check 'a copy of several moments is noticed' 'TornCopyTests/behindTheEnd' \
    "$embedded/Storage/LogConnection+Checks.swift" 'if let end, end > high {' 'if let end, end > Offset.max - 1 {'

  mutation no-total-check 'a copy of several moments is noticed' 'TornCopyTests/torn' \
    "$embedded/Storage/LogConnection+Checks.swift" 'guard try LogTotal.fits(database) else {' \
    'guard try LogTotal.fits(database) || version > 0 else {'

  mutation unread-backup 'a backup was read before it has its name' 'LogBackupTests/damaged' \
    "$embedded/Storage/LogBackup.swift" 'try copier.check(copied) else' 'copied.bytes > 0 else'

  mutation early-backup 'a backup that was cut short is not taken for a log' 'CrashTests.BackupTests/sweep' \
    "$embedded/Storage/BackupTarget.swift" 'draft = LogDirectory(path: (parent == "/" ? "" : parent) + "/" + name)' \
    'draft = LogDirectory(path: name.isEmpty ? name : path)'

  mutation marks-left-behind 'a backup that lost its tail is noticed' 'LogBackupTests/equal' \
    "$embedded/Storage/LogBackup.swift" 'try marks.update(moment.marks)' ''
  mutation segment-not-synchronised 'the bytes of a commit are on the disk before it' 'CrashTests.PowerCutTests' \
    "$embedded/Storage/SegmentFiles.swift" 'for (file, _) in pending { try file.descriptor.synchronizeData() }' ''

  mutation directory-not-synchronised 'the name of a segment is on the disk before the commit' 'CrashTests.PowerCutTests' \
    "$embedded/Storage/SegmentFiles.swift" 'for path in [directory.segments, directory.path] {' 'for path in [String]() {'

  mutation mark-back-after-cut 'the mark of a removed topic does not come back' 'CrashTests.PowerCutTests' \
    "$embedded/Storage/TailMarks.swift" 'if !partitions.isEmpty { try file.synchronizeData() }' ''

  mutation tail-not-cut 'what lies behind the committed length is cut off' 'SegmentTests/tail' \
    "$embedded/Storage/SegmentFiles.swift" 'try file.descriptor.truncate(to: segment.length)' ''

  mutation rollback-not-cut 'a commit that fails leaves nothing in a segment' 'SegmentTests/rolledBack' \
    "$embedded/Storage/SegmentFiles.swift" 'if !commitHasBegun {' 'if commitHasBegun {'

  mutation doubtful-commit-cut 'a commit that may stand keeps its bytes' 'SegmentTests/doubtfulCommit' \
    "$embedded/Storage/SegmentFiles.swift" 'if !commitHasBegun {' 'if !commitHasBegun || !pending.isEmpty {'

  mutation cut-before-commit 'nothing is cut off before another commit has its place' 'SegmentTests/unseenCommit' \
    "$embedded/Storage/SegmentFiles.swift" 'guard mayCut else { throw SegmentTail() }' ''

  mutation committed-length-ignored 'a segment shorter than what is committed takes no more' 'SegmentTests/changedInUse' \
    "$embedded/Storage/SegmentFiles.swift" 'if size < segment.length { throw' 'if size < 0 { throw'

  mutation segment-not-checked-at-opening 'a segment that is gone or short is named at opening' 'SegmentTests/damaged' \
    "$embedded/Storage/LogConnection+Checks.swift" \
    'for segment in try SegmentRow.all(database) { try segments.check(segment) }' ''

  mutation total-not-checked 'rows of two moments are no log' 'DamagedLogTests/tornRows' \
    "$embedded/Storage/LogConnection+Checks.swift" 'guard try LogTotal.fits(database) else {' \
    'guard try LogTotal.fits(database) || true else {'

  mutation fault-without-second-look 'a segment that was removed under an old snapshot is no damage' 'SegmentTests/sealed' \
    "$embedded/Storage/LogConnection.swift" 'catch let found as SegmentFault where found != fault {' \
    'catch let found as SegmentFault where fault != nil {'

  mutation strays-left 'files that a kill left go with the next removal' 'SegmentTests/strays' \
    "$embedded/EmbeddedAdmin.swift" '    try removeStrays(what)
' ''

  mutation any-first-version 'what is no log of version 1 is not made one of version 2' 'UpgradeTests/altered' \
    "$embedded/Storage/LogSchema.swift" \
    'guard try hasDefinitions(database, version: 1) else { throw altered(directory) }' ''

  mutation no-fsync-of-report 'a report is on the disk before its name' 'DiskTests/synchronised|DiskTests/failingReport' \
    Sources/orderstream/AtomicFile.swift 'return FileDescriptor.synchronize(descriptor)' 'return 0'

  mutation report-in-place 'a report is the old one or the new one' 'DiskTests/fullReport|AtomicFileTests' \
    Sources/orderstream/AtomicFile.swift 'guard file.isReplaced else {' \
    'guard file.isReplaced && file.target.isEmpty else {'

  mutation no-state-after-abort 'state is read again after an abort' 'FaultTests/commit|BoundedRunTests/restart' \
    "$core/Loop/GroupState.swift" 'try processor.restore(partition: partition, record)' \
    '_ = (partition, record)'

  mutation commit-counted-early 'what is counted is committed' 'PipelineTests.CommitTests' \
    "$core/Loop/CommitCycle.swift" \
    'guard try join(timeout) else { return nil }' '_ = try join(timeout)'

  # The rest of the batch is still applied, so only a crash between its parts shows it.
  mutation part-for-the-whole 'the offsets of a part are those of its last record' 'SweepTests/inventory' \
    "$core/Loop/CommitCycle.swift" 'let positions = progress.startCommit()
' 'let positions = progress.startCommit().map { position in
      let whole = batch.entries.filter { $0.partition == position.partition }.map(\.offset.next).max()
      return PartitionOffset(partition: position.partition, offset: max(position.offset, whole ?? 0))
    }
'

  mutation stale-read-ahead 'nothing comes from before a seek' 'ReadAheadTests' \
    "$embedded/Consuming/EmbeddedConsumer.swift" '    ahead?.cancel()
    self.positions' '    self.positions'

  mutation refused-record-counted 'nothing counts behind a record that cannot be taken' \
    'AssignmentProgressTests/refusedRecord|ExitCodeTests/failNames' "$core/Loop/AssignmentProgress.swift" \
    'partitions[Int(batch.entries[index].partition)].position = batch.entries[index].offset' '_ = index'

  mutation no-rejoin 'a member that fenced itself joins again' 'MockConsumerTests/fencedByItself' \
    Sources/OrderStreamKafka/Consumer/GroupMembership.swift \
    'error.code == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID else' 'error.code == RD_KAFKA_RESP_ERR__FATAL else'

  mutation false-lag 'lag that is not known is not 0' 'LagTests' "$core/Lag/Lag.swift" \
    'if let committed, committed > marks.high {' 'if let committed, committed > .max - 1 {'

  mutation lag-of-begun-only 'all partitions that a group reads count' 'LagTests|AdminContractTests/lag' \
    "$core/Lag/Lag.swift" 'Set(used).union(seen.indices.map { Int32($0) }).sorted()' 'Set(used).sorted()'

  mutation hour-24 'poison is exactly what the contract says' 'PoisonPropertyTests|CivilTimeTests' \
    "$core/Support/CivilTime.swift" 'hour <= 23' 'hour <= 24'

  mutation loss-accepted 'records that are gone stop a run' 'ChangingTopicTests|OffsetTests/gone' \
    "$core/Loop/GroupState.swift" 'guard settings.acceptsLoss else {' \
    'guard settings.acceptsLoss || start > 0 else {'

  mutation same-name-same-topic 'a topic made anew under a group is noticed' 'StateTests/sourceMadeAnew|StateTests/outputMadeAnew' \
    "$core/Loop/StateProof.swift" '    if position.origin == .earlierTopic { return .madeAnew }' '' \
    "$core/Loop/StateProof.swift" 'if let known = mark?.id, let id, known != id { return .madeAnew }' '' \
    "$core/Loop/GroupState.swift" 'verdict = known == id ? .same : .madeAnew' '_ = (known, id)'

  mutation state-believed 'a missing or altered record of state is named' 'StateTests/damaged' \
    "$core/Loop/StoredPositions.swift" 'if proof.records != found.records {' 'if false {' \
    "$core/Loop/StoredPositions.swift" 'if proof.checksums != found.checksums {' 'if false {'

  mutation foreign-group-taken 'offsets of another program are not taken over' 'StateTests/offsetsWithoutState' \
    "$core/Loop/GroupState.swift" 'if !isOurs { throw' 'if false { throw'

  mutation totals-of-the-start 'totals are those of the partitions that there are now' 'StateTests/grownTopic' \
    "$core/Metrics/MetricsSummary.swift" 'return max(progress.partitionCount, found ?? 0)' \
    'return found == nil ? 0 : progress.partitionCount'

  mutation wall-clock-in-metrics 'metrics know no clock' 'ReplayIndependenceTests' \
    "$core/Metrics/OrderMetrics.swift" 'let minute = decoder.order.minute' \
    'let minute = decoder.order.minute + SystemTime().wallMilliseconds % 2'

  mutation hash-order-in-metrics 'metrics know no hash order' 'ReplayIndependenceTests' \
    "$core/Metrics/MetricsSummary.swift" 'minutes.sort { $0.minute < $1.minute }' \
    'minutes.sort { $0.minute.hashValue < $1.minute.hashValue }'

  mutation offsets-before-outputs 'at least once the outputs come first' 'TwoStepCommitTests|GuaranteeKillTests' \
    "$core/Broker/TwoStepCommit.swift" 'let isOutputFirst = guarantee == .atLeastOnce' \
    'let isOutputFirst = guarantee == .atMostOnce'

  mutation none-is-empty 'a certificate tells no key and a tombstone from empty ones' 'CertificateTests' \
    "$core/Proof/RecordDigests.swift" 'value.map { Int64($0.count) } ?? -1)' 'value.map { Int64($0.count) } ?? 0)' \
    "$core/Proof/RecordDigests.swift" 'key.map { Int64($0.count) } ?? -1)' 'key.map { Int64($0.count) } ?? 0)'

  mutation passed-is-seen 'a record that a reader passed without seeing it is named' 'PipelineTests.WitnessTests' \
    "$core/Audit/TopicWitness.swift" 'if isSkipped, !sight.marks.contains(.told) {' 'if isSkipped && false {'

  mutation aborted-unseen 'an aborted record that a committed reader saw is named' 'PipelineTests.WitnessTests' \
    "$core/Audit/TopicWitness.swift" 'sight.marks.isDisjoint(with: .checkedCommitted) {' \
    'sight.marks.isDisjoint(with: .checked) {'

  mutation last-chunk-believed 'a certificate covers the last records too' 'CertificateTests' \
    "$core/Proof/CertificatePass.swift" 'if progress[number].digests.finish() != nil { compare(number) }' \
    '_ = progress[number].digests.finish()'

  mutation chunk-believed 'a chunk of a receipt is what is on the log' 'ReceiptAuditTests' \
    "$core/Audit/ReceiptCheck.swift" 'if isWhole && digest == receipt(chunk).digest { return }' 'if isWhole { return }'

  mutation gap-believed 'an acknowledged record that is not there is missing' 'ReceiptAuditTests' \
    "$core/Audit/ReceiptWalk.swift" 'missing += count - gone' 'missing += 0'

  mutation copy-unseen 'an acknowledged record that is there again is found' 'ReceiptAuditTests' \
    "$core/Audit/UnreceiptedRecords.swift" 'if records[low].words == words, !records[low].isTwice {' \
    'if records[low].words == words, records[low].isTwice {'

  mutation any-partition 'an event lies in the partition of its key' 'PlacementTests' \
    "$core/Audit/KeyPlacement.swift" 'if hash % count == partition { return .right }' 'if hash >= 0 { return .right }'

  mutation letters-unread 'a dead letter is what its record was' 'DeadLetterAuditTests' \
    "$core/Audit/DeadLetterCheck.swift" 'text.map({ value.elementsEqual($0.utf8) }) ?? !value.isEmpty' '!value.isEmpty'

  mutation limit-itself-fails 'a condition is decided at its limit' 'FailConditionTests' \
    "$core/Report/FailCondition.swift" 'case .greater: value > limit' 'case .greater: value >= limit'

  mutation unknown-passes 'a number that is not known fails a condition on it' 'FailConditionTests|FailIfTests' \
    "$core/Report/FailCondition.swift" 'if value == .null { return .unknown }' 'if value == .null { return .holdsBack }'

  mutation coordinated-omission 'with a rate a latency begins when the record was due' 'LatencyTests' \
    "$embedded/Producing/ProducerQueue.swift" 'sent = latency?.due(sequence) ?? 0' 'sent = time.monotonicNanoseconds'

  mutation markup-from-records 'what a page quotes stays text' 'ReportPageTests' \
    "$core/Report/Page/HTML.swift" 'case "<": markup += "&lt;"' 'case "<": markup += "<"'

  mutation unknown-lag-is-zero 'a lag that is not known is NaN in a metrics file' 'ResultFileTests' \
    "$core/Report/MetricsFile.swift" 'lag.numberText ?? "NaN"' 'lag.numberText ?? "0"'

  mutation skipped-is-passed 'a claim that was not shown is no passed test case' 'ResultFileTests' \
    "$core/Report/TestCases.swift" 'case nil: .skipped(claim.detail ?? "the run could not show it")' 'case nil: .passed'
}
# First the tests by themselves: only one that passes can notice anything.
mutations
[ -n "$baseline" ] || die 'no mutation of that name'
if ! run_tests "$baseline"; then
  # A crash of the test process leaves no such line.
  grep -m 20 '^✘' "$WORK/tests.txt" >&2 || tail -n 20 "$WORK/tests.txt" >&2
  die 'the tests fail without a mutation'
fi
say 'the tests pass without a mutation'
pass=mutations
mutations
git -C "$copy" checkout -q -- .
printf '\n| mutation | guarantee | tests that must fail | verdict | tests that failed |\n|---|---|---|---|---|\n%s' "$table"
if [ "$survivors" -gt 0 ]; then
  printf '\nmutation-test: FAILED (%s survived)\n' "$survivors"
  exit 1
fi
printf '\nmutation-test: ok\n'
