using System.Runtime.CompilerServices;
using Proxy.Backends;
using Proxy.Dicom;

namespace Proxy.Retrieve;

/// <summary>Whole studies: their series come in one answer, in the order of the backend.</summary>
public sealed partial class SeriesAnswer
{
    /// <summary>
    /// The limit of studies that are requested before it is known which instances to take from the answer. Such a request holds one of the
    /// permits that the search for the series may need.
    /// </summary>
    private const int MaxAhead = 4;

    /// <summary>True when a study may be requested before it is known which of its series the backend owns.</summary>
    public bool CanAskAhead(BackendOptions backend) =>
        CanReadAhead && backend.MaxConcurrentRequests > MaxAhead && !_given.RefusesStudies(backend.Name)
        && _running.Values.Count(transfer => !transfer.Expected.IsCompleted) < MaxAhead;

    /// <summary>Requests a study. Its instances are read once the series to take from it are known.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="access">The backends that the client may use: clients with the same access share a request.</param>
    /// <param name="study">The study.</param>
    /// <param name="negotiation">The acceptable forms.</param>
    internal StudyRequest BeginStudy(BackendOptions backend, Access access, Uid study, Negotiation negotiation)
    {
        var follower = Join(
            (backend.Name, new(study), $"{access.Scope} {negotiation.Name}"),
            transfer => AskForStudyAsync(transfer, backend, study, negotiation), out var isCollapsed);
        return new(backend, follower, _scheduler.BeginForeground(backend.Name, new(study)), isCollapsed);
    }

    /// <summary>The instances of the answer: fewer when it ends early, none when the backend refuses.</summary>
    /// <param name="request">The request.</param>
    /// <param name="series">The series to take from the answer; null for all.</param>
    /// <param name="cancellation">Cancelled when the client disconnects.</param>
    internal async IAsyncEnumerable<InstancePart> ReadAsync(
        StudyRequest request, IReadOnlyList<SeriesInstances>? series, [EnumeratorCancellation] CancellationToken cancellation)
    {
        request.Follower.Expect(series);
        var wanted = series?.Select(one => one.Path.Series).ToHashSet();
        while (await request.Follower.ReadAsync(cancellation) is { } arrival)
        {
            // Another client, which shares the request, may expect more.
            if (wanted?.Contains(arrival.Path.Series) == false) arrival.Reader?.Dispose();
            else if (await OpenAsync(arrival, request.Backend.Name, request.IsCollapsed, cancellation) is { } result)
                yield return new(arrival.Path, result);
        }
    }

    private async Task AskForStudyAsync(SeriesTransfer transfer, BackendOptions backend, Uid study, Negotiation negotiation)
    {
        if (new RequestPlan(negotiation, [], stored: null).Next(failure: null) is not { } asked) return;
        await _archive.OpenStudyAsync(
            backend, study, asked,
            async (instances, stopped) =>
            {
                var expected = await transfer.Expected.WaitAsync(stopped);
                return await CopyAsync(instances, new(transfer, backend.Name, new(study), negotiation, asked, expected), stopped);
            },
            transfer.Stopped);
    }
}

/// <summary>A request for a whole study, which is cancelled when it is disposed and no other client shares it.</summary>
/// <param name="Backend">The backend.</param>
/// <param name="Follower">Receives the instances.</param>
/// <param name="Foreground">Marks the client while it waits.</param>
/// <param name="IsCollapsed">True when another client had already sent the request.</param>
internal sealed record StudyRequest(
    BackendOptions Backend, SeriesTransfer.Follower Follower, IDisposable? Foreground, bool IsCollapsed) : IDisposable
{
    /// <inheritdoc/>
    public void Dispose()
    {
        Follower.Dispose();
        Foreground?.Dispose();
    }
}
