using Proxy.Backends;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Operations;
using Proxy.Search;
using Proxy.Store;

namespace Proxy.Retrieve;

/// <summary>Gives frames and whole instances: from the cache, else from the backend that the series belongs to.</summary>
/// <remarks>
/// <para>
/// A frame that was asked for "as stored" also answers whoever wants just the transfer syntax it is stored in
/// (PS3.18 §8.7.3.5.2); the other way round it does not.
/// </para>
/// <para>
/// Another holder gives a frame in place of the owner only when its own metadata was read: then the series is its own.
/// </para>
/// </remarks>
public sealed class BodyReader(
    BodyFetch fetch, BackendSet backends, Turns turns, SeriesListReader lists, SeriesReader series, DicomMetadataStore store, EntryCache cache, FrameCutter cutter)
{
    /// <summary>What is wanted, in which forms, and what has been tried for it.</summary>
    private sealed record Wanted(BackendScope Scope, InstancePath Path, int? Frame, IReadOnlyList<BodyFormat> Formats, Keep Keep)
    {
        /// <summary>The frame or the instance, as a path below a DICOMweb root.</summary>
        public string Place { get; } = Frame is { } frame ? new FramePath(Path, frame).ToString() : Path.ToString();

        public HashSet<string> Tried { get; } = [];

        public List<BackendFailure> Failures { get; } = [];
    }

    /// <param name="scope">Whose.</param>
    /// <param name="path">The instance, or the one that the frame is in.</param>
    /// <param name="frame">Its number; null for the instance itself.</param>
    /// <param name="formats">What the client takes, best first; a backend is asked for the best.</param>
    /// <param name="keep">Where it is worth keeping.</param>
    /// <param name="cancellation">The client leaves.</param>
    public async Task<BodyResult> ReadAsync(BackendScope scope, InstancePath path, int? frame, IReadOnlyList<BodyFormat> formats, Keep keep, CancellationToken cancellation)
    {
        // Pixels never change under their UID, but a series may be gone.
        var known = await lists.LookAfterAsync(scope, path.Study, cancellation);
        var wanted = new Wanted(scope, path, frame, formats, keep);
        if (await TryHoldersAsync(wanted, HoldersOf(known), cancellation) is { } body) return Shown(body);
        var places = await lists.LocateAsync(scope, path.Study, isHurried: true, asksAnew: false, cancellation);
        wanted.Failures.AddRange(places.Failures.ExceptBy(wanted.Failures.Select(f => f.Backend), f => f.Backend));
        var unlisted = SeriesReader.UnlistedIn(places.Study, scope, path.Series).Select(l => l.Backend);
        return await TryHoldersAsync(wanted, [.. HoldersOf(places.Study), .. unlisted], cancellation) is { } found ? Shown(found) : BodyResult.None(wanted.Failures);

        BodyResult Shown(BodyResult result)
        {
            store.ShowMetadata(result.Backend, path.SeriesPath);
            return result;
        }

        List<string> HoldersOf(Study? study) => [.. series.HoldersOf(study, scope, path.Series).Select(l => l.Backend)];
    }

    /// <summary>Whether a frame as it is stored, or an instance, is kept of what a backend gives.</summary>
    public ValueTask<bool> IsKeptAsync(string backend, InstancePath path, int? frame, CancellationToken cancellation) =>
        cache.HasAsync([.. CandidatesOf(Ahead(path, frame), backend)], cancellation);

    /// <summary>Fetches what no client asked for yet: a frame as it is stored, or an instance.</summary>
    /// <param name="backend">Whose series it is.</param>
    /// <param name="path">The instance, or the one that the frame is in.</param>
    /// <param name="frame">Its number; null for the instance itself.</param>
    /// <param name="cancellation">Leaves it; a client that joined keeps it going.</param>
    /// <returns>How many bytes came; missing when the backend does not have it.</returns>
    public async Task<BackendAnswer<long>> FetchAheadAsync(BackendOptions backend, InstancePath path, int? frame, CancellationToken cancellation)
    {
        var (place, format) = (Ahead(path, frame).Place, FormatAhead(frame));
        using var result = await BodyResult.OfAsync(cache.Get(new EntryKey(backend.Name, place, format), (fill, stopped) => fetch.AskAsync(backend, place, format, fill, stopped), Keep.Ahead), backend.Name, cancellation);
        if (result.Body is not { } body) return result.Failures.Count > 0 ? new(result.Failures[0]) : new() { IsMissing = true };
        try
        {
            var bytes = 0L;
            for (ReadOnlyMemory<byte> piece; !(piece = await body.ReadAsync(cancellation)).IsEmpty;) bytes += piece.Length;
            return new(bytes);
        }
        catch (BrokenBodyException)
        {
            return new(new BackendFailure(backend.Name, BackendError.BadAnswer, "the body broke off"));
        }
    }

    private static Wanted Ahead(InstancePath path, int? frame) => new(new("", []), path, frame, [FormatAhead(frame)], Keep.Ahead);

    /// <summary>As viewers ask for them.</summary>
    private static BodyFormat FormatAhead(int? frame) => frame is null ? new(BodyFormat.Dicom, BodyFormat.Unnamed) : BodyFormat.AsStored;

    /// <summary>The body from the first of these backends that gives it; null when none does.</summary>
    private async Task<BodyResult?> TryHoldersAsync(Wanted wanted, IReadOnlyList<string> holders, CancellationToken cancellation)
    {
        foreach (var holder in holders)
        {
            if (backends.Find(holder) is not { } backend || !wanted.Tried.Add(holder)) continue;
            var owner = store.GetStudy(wanted.Path.Study)?.Owners.GetValueOrDefault(wanted.Path.Series);
            var standsIn = wanted.Scope.IsAll && owner is not null && owner != holder;
            if (standsIn && !await series.CanStandInAsync(holder, wanted.Path, cancellation)) continue;
            if (await TryAsync(wanted, backend, cancellation) is not { } body) continue;
            // An instance that the owner does not have is no reason to take the others from it.
            if (!standsIn || !holders.Contains(owner) || wanted.Failures.Any(f => f.Backend == owner && f.Error != BackendError.Busy)) series.SetOwner(wanted.Scope, holder, wanted.Path.SeriesPath);
            return body;
        }
        return null;
    }

    private async Task<BodyResult?> TryAsync(Wanted wanted, BackendOptions backend, CancellationToken cancellation)
    {
        var (place, format) = (wanted.Place, wanted.Formats[0]);
        if (await FindKeptAsync(wanted, backend.Name, cancellation) is { } kept) return BodyResult.Hit(kept, backend.Name);
        var lookup = cache.Get(new EntryKey(backend.Name, place, format), (fill, stopped) => fetch.AskAsync(backend, place, format, fill, stopped), wanted.Keep);
        // It has joined by now: what is broken off for it is something else.
        var waiting = lookup.Reader is null ? null : turns.Wait(backend.Name, new(wanted.Path.Study, wanted.Path.Series));
        var result = await BodyResult.OfAsync(lookup, backend.Name, cancellation, waiting);
        if (result.Body is not null) return result;
        if (result.Failures.Count > 0) wanted.Failures.AddRange(result.Failures);
        else await lists.DoubtAsync(backend, wanted.Path.Study, cancellation);
        return null;
    }

    /// <summary>In any of the forms that the client takes; a frame also as part of a whole instance.</summary>
    private async ValueTask<IKeptBody?> FindKeptAsync(Wanted wanted, string backend, CancellationToken cancellation)
    {
        if (await cache.FindAsync(CandidatesOf(wanted, backend), cancellation) is not var (key, body)) return null;
        if (wanted.Frame is not { } frame || key.Format!.MediaType != BodyFormat.Dicom) return body;
        if (cutter.TryCut(key, body, new(wanted.Path, frame), wanted.Formats) is { } cut) return cut;
        body.Dispose();
        return null;
    }

    private static IEnumerable<Candidate> CandidatesOf(Wanted wanted, string backend)
    {
        foreach (var format in wanted.Formats)
        {
            yield return new(new(backend, wanted.Place, format));
            if (wanted.Frame is not null && format != BodyFormat.AsStored) yield return new(new(backend, wanted.Place, BodyFormat.AsStored), format);
        }
        if (wanted.Frame is null) yield break;
        foreach (var whole in FrameCutter.WholesOf(backend, wanted.Path, wanted.Formats)) yield return whole;
    }
}
