using Proxy.Backends;
using Proxy.Backends.Queries;
using Proxy.Dicom;
using Proxy.Dimse;
using Proxy.Dimse.Protocol;
using static Proxy.Admin.Testing.Finding;

namespace Proxy.Admin.Testing;

/// <summary>Tests a DIMSE backend: C-ECHO, C-FIND, and an association for C-GET or a C-MOVE of nothing.</summary>
/// <remarks>
/// <code>
/// 1 echo       reachable, AE titles, the service
/// 2 searches   a study that does not exist: does it match?
/// 3 retrieve   the presentation contexts of C-GET, with the role of the receiver; else whether the PACS knows the destination of C-MOVE
/// </code>
/// </remarks>
/// <param name="client">Runs the operations, regardless of the backend's health.</param>
/// <param name="moves">Sends C-MOVE.</param>
/// <param name="backend">The backend.</param>
/// <param name="time">The clock.</param>
internal sealed class DimseTest(DimseClient client, InstanceRetrieval moves, BackendOptions backend, TimeProvider time)
{
    /// <summary>The time limit of a whole test.</summary>
    private static readonly TimeSpan MaxTime = TimeSpan.FromSeconds(40);

    /// <summary>A UID that no PACS has (PS3.5 §B.2).</summary>
    private static readonly Uid Nothing = Uid.Parse("2.25.284091637482910563728194650273819465027");

    /// <summary>Runs the test.</summary>
    public async Task<TestReport> RunAsync(CancellationToken cancellation)
    {
        var (at, started) = (time.GetUtcNow(), time.GetTimestamp());
        using var late = new CancellationTokenSource(MaxTime, time);
        var findings = new Dictionary<string, Finding>();
        double? latency = null;
        // 1
        var echo = await client.RunAsync(
            backend, new(ContextPlan.Queries, "C-ECHO"), DimseClient.EchoAsync, late.Token, cancellation);
        Add(JudgeEcho(echo.Failure));
        if (echo.Failure is null)
        {
            latency = Math.Round(time.GetElapsedTime(started).TotalMilliseconds, 1);
            // 2
            var search = await client.RunAsync(backend, new(ContextPlan.Queries, "C-FIND"), CountStrangersAsync, late.Token, cancellation);
            Add([JudgeSearch(search)]);
            // 3
            Add([await TestRetrievalAsync(late.Token, cancellation)]);
        }
        return new(backend.Name, at, Complete(findings), null, null, latency, null);

        void Add(IEnumerable<Finding> found)
        {
            foreach (var finding in found) findings[finding.Name] = finding;
        }
    }

    private IEnumerable<Finding> JudgeEcho(BackendFailure? failure)
    {
        var caller = $"accepts the AE title {backend.Dimse!.CallingAeTitle}";
        if (failure is null)
        {
            return
            [
                new(Reachable, Outcome.Ok, "accepts associations"), new(Authentication, Outcome.Ok, caller),
                new(Root, Outcome.Ok, "answers C-ECHO"),
            ];
        }
        return failure.Error switch
        {
            BackendError.Refused => [new(Authentication, Outcome.Failed, failure.Detail, failure.Remedy)],
            BackendError.BadStatus or BackendError.BadAnswer =>
                [new(Reachable, Outcome.Ok, "accepts connections"), new(Root, Outcome.Failed, failure.Detail, failure.Remedy)],
            _ => [new(Reachable, Outcome.Failed, failure.Detail, failure.Remedy)],
        };
    }

    private static Finding JudgeSearch(BackendAnswer<int> strangers) => strangers switch
    {
        { Failure: { } failure } => new(Searches, Outcome.Failed, failure.Detail, failure.Remedy),
        { Value: 0 } => new(Searches, Outcome.Ok, "matches by C-FIND"),
        _ => new(Searches, Outcome.Warning, "lists studies that do not match; the proxy matches them itself"),
    };

    private async Task<Finding> TestRetrievalAsync(CancellationToken late, CancellationToken cancellation)
    {
        var options = backend.Dimse!;
        var finding = new Finding(
            Finding.Metadata, Outcome.Failed, InstanceRetrieval.NoRole,
            $"allow C-GET for the AE title {options.CallingAeTitle} in the PACS, or set Backends:{backend.Name}:Listen for C-MOVE");
        if (options.Retrieve != RetrieveService.Move)
        {
            var sends = await client.RunAsync(
                backend, new(ContextPlan.ForRetrieval([], isUncompressed: false), "C-GET"),
                static (association, _) => Task.FromResult(InstanceRetrieval.CanGet(association)), late, cancellation);
            if (sends.Failure is { } failure) return new(Finding.Metadata, Outcome.Failed, failure.Detail, failure.Remedy);
            if (sends.Value) return new(Finding.Metadata, Outcome.Ok, "sends instances by C-GET");
            if (options is { Retrieve: RetrieveService.Get } or { Listen: null }) return finding;
        }
        var nothing = new WantedInstances(new(Nothing, Nothing), null, [], [], IsUncompressed: false);
        var moved = await client.RunAsync(
            backend, new(ContextPlan.Moves, "C-MOVE"), moves.CreateMove(backend, nothing, ReadAsync), late, cancellation);
        return moved.Failure is { } refused
            ? new(Finding.Metadata, Outcome.Failed, refused.Detail, refused.Remedy)
            : new(Finding.Metadata, Outcome.Ok, $"sends instances by C-MOVE to the AE title {options.CallingAeTitle}");

        static async Task<bool> ReadAsync(ArrivingSeries series, CancellationToken stopped) =>
            await series.FindNextAsync(stopped) is not null;
    }

    private static async Task<int> CountStrangersAsync(Association association, CancellationToken cancellation)
    {
        var context = association.GetContext(SopClass.StudyRootFind, "C-FIND");
        var keys = SearchKeys.Create(SearchQuery.AllStudies.ForNothing());
        var count = 0;
        await association.FindAsync(
            context, keys.Write(context.TransferSyntaxes[0], "ISO_IR 6"), _ => ++count < 2, cancellation);
        return count;
    }

    private static IReadOnlyList<Finding> Complete(Dictionary<string, Finding> findings)
    {
        var cause = Names.Select(name => findings.GetValueOrDefault(name)).FirstOrDefault(f => f?.Outcome == Outcome.Failed);
        var reason = cause is null ? "DIMSE has no such thing" : $"{cause.Name} failed";
        return [.. Names.Select(name => findings.GetValueOrDefault(name) ?? new(name, Outcome.Skipped, reason))];
    }
}
