using System.Buffers;
using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Locating;
using Proxy.Metadata;
using Proxy.Operations;
using Proxy.Wire;

namespace Proxy.Retrieve;

/// <summary>WADO-RS metadata of a study, a series or an instance (PS3.18 §10.4.1.1.2).</summary>
internal static class MetadataEndpoints
{
    /// <summary>
    /// A longer study answer is written while it is sent, and not cached: building it first would delay its first byte too much.
    /// </summary>
    private const int MaxReadyBytes = 8 * 1024 * 1024;

    public static void MapMetadata(this IEndpointRouteBuilder root)
    {
        root.MapRead("/studies/{study}/metadata", AnswerStudyAsync);
        root.MapRead("/studies/{study}/series/{series}/metadata", AnswerSeriesAsync);
        root.MapRead("/studies/{study}/series/{series}/instances/{instance}/metadata", AnswerSeriesAsync);
    }

    private static async Task<IResult> AnswerSeriesAsync(
        HttpContext context, SeriesReader reader, InstanceFiles files, ReadyMetadata ready, BulkTokens tokens, TimeProvider time)
    {
        if (TryRead(context, out var access, out var study, out var series, out var instance, out var isXml) is { } problem) return problem;
        var started = time.GetTimestamp();
        var path = new SeriesPath(study, series!.Value);
        var result = instance is { } single
            ? await ReadInstanceAsync(context, reader, files, access, new(study, series.Value, single))
            : await reader.ReadAsync(access, path, context.Request.BypassesCache(), context.RequestAborted);
        if (result.Metadata is not { } metadata)
            return NotFound(context, path.ToString(), "No backend holds this study or series.", result);
        if (instance is { } one && !metadata.Has(one))
            return NotFound(context, new InstancePath(study, path.Series, one).ToString(), "The series has no such instance.", result);

        Warn(context.Response, result.Status, result.Failures);
        WarnOfOmissions(context.Response, [metadata]);
        var hash = metadata.Hash ^ tokens.KeyId;
        var answer = new CachedAnswer(result.Status)
        {
            Backend = result.Backend,
            IsPrefetched = result.IsPrefetched,
            Age = Freshness.GetAge(result.Asked, time.GetUtcNow()),
            BackendTime = result.Status == CacheStatus.Miss ? time.GetElapsedTime(started) : null,
            CacheTime = result.Status == CacheStatus.Hit ? time.GetElapsedTime(started) : null,
            Vary = CachedAnswer.ByAcceptAndCoding,
            ETag = $"W/\"{hash:x}{(instance is null ? "" : "-" + instance)}{(isXml ? "-xml" : "")}\"",
            ContentType = isXml ? DicomXmlParts.ContentType : MediaType.DicomJson,
            Coding = context.Request.ChooseCoding(),
        };
        if (!answer.Begin(context)) return Results.Empty;
        var key = new ReadyMetadata.Key(hash, instance, context.GetRootAddress(access), answer.Coding, isXml);
        await SendReadyAsync(
            context, answer, ready, () => Write([metadata], instance, new(key.Root, tokens, new StudyPath(study)), isXml), key);
        return Results.Empty;
    }

    /// <summary>
    /// The metadata of an instance: with its series when that is fresh, else from the instance's own file; else of the whole series.
    /// </summary>
    private static async Task<SeriesResult> ReadInstanceAsync(
        HttpContext context, SeriesReader reader, InstanceFiles files, Access access, InstancePath path)
    {
        var stopped = context.RequestAborted;
        var bypassCache = context.Request.BypassesCache();
        if (!bypassCache && reader.FindFresh(access, path.SeriesPath) is null
            && await files.FindAsync(access, path, failures: null, stopped) is { } fresh)
            return fresh;
        var result = await reader.ReadAsync(access, path.SeriesPath, bypassCache, stopped);
        return result is { Metadata: null, Failures.Count: > 0 }
            ? await files.FindAsync(access, path, result.Failures, stopped) ?? result
            : result;
    }

    /// <summary>Sends the answer from the cache of ready answers, or writes it while it is sent.</summary>
    private static async Task SendReadyAsync(
        HttpContext context, CachedAnswer answer, ReadyMetadata ready, Func<IEnumerable<ReadOnlyMemory<byte>>> write,
        ReadyMetadata.Key key)
    {
        if (HttpMethods.IsHead(context.Request.Method)) answer.SetContent(context.Response);
        else if (await ready.GetAsync(key, write, context.RequestAborted) is { } body) await answer.SendAsync(context, body);
        else await SendPassingAsync(context, answer, write);
    }

    private static async Task SendPassingAsync(HttpContext context, CachedAnswer answer, Func<IEnumerable<ReadOnlyMemory<byte>>> write)
    {
        answer.SetContent(context.Response);
        var output = context.Response.Body;
        await using var packing = Packing.OpenStream(output, answer.Coding);
        foreach (var piece in write()) await (packing ?? output).WriteAsync(piece, context.RequestAborted);
    }

    /// <summary>
    /// Every series of the study from its owner. An unavailable series fails the request unless the settings allow a partial study.
    /// </summary>
    private static async Task<IResult> AnswerStudyAsync(
        HttpContext context, SeriesReader reader, SeriesLocator locator, ReadyMetadata ready, BulkTokens tokens,
        Reloadable<RetrieveOptions> options, TimeProvider time)
    {
        if (TryRead(context, out var access, out var study, out _, out _, out var isXml) is { } problem) return problem;
        var started = time.GetTimestamp();
        var bypassCache = context.Request.BypassesCache();
        var places = await locator.LocateAsync(
            access, study, bypassCache ? ReadPurpose.Reload : ReadPurpose.Client, context.RequestAborted);
        // Metadata is in the store, so a series whose holders fail is served stale.
        var contents = await StudyContents.ReadAsync(
            places, access, uid => reader.ReadAsync(access, new(study, uid), bypassCache, context.RequestAborted),
            (_, _) => Task.FromResult(true));
        if (contents.FindProblem(context, study, options.Value) is { } failed) return failed;
        var series = contents.Series.Select(s => s.Result).ToList();

        var status = series.Max(r => r.Status);
        Warn(context.Response, status, []);
        contents.Warn(context.Response);
        var metadata = series.ConvertAll(r => r.Metadata!);
        WarnOfOmissions(context.Response, metadata);
        // A study with one series has the hash of that series, and the same text.
        var hash = metadata.Aggregate(UInt128.Zero, (sum, m) => unchecked(sum * 31 + m.Hash)) ^ tokens.KeyId;
        if (context.FindFeature<AccessNotes>() is { } notes) notes.Backends = [.. series.Select(r => r.Backend).Distinct()];
        var answer = new CachedAnswer(status)
        {
            IsPrefetched = series.TrueForAll(r => r.IsPrefetched),
            Age = series.Max(r => Freshness.GetAge(r.Asked, time.GetUtcNow())),
            BackendTime = status == CacheStatus.Miss ? time.GetElapsedTime(started) : null,
            CacheTime = status == CacheStatus.Hit ? time.GetElapsedTime(started) : null,
            Vary = CachedAnswer.ByAcceptAndCoding,
            ETag = $"W/\"{hash:x}{(isXml ? "-xml" : "")}\"",
            ContentType = isXml ? DicomXmlParts.ContentType : MediaType.DicomJson,
            Coding = context.Request.ChooseCoding(),
        };
        if (!answer.Begin(context)) return Results.Empty;
        var key = new ReadyMetadata.Key(hash, null, context.GetRootAddress(access), answer.Coding, isXml);
        if (metadata.Sum(m => (long)m.TextBytes) <= MaxReadyBytes || HttpMethods.IsHead(context.Request.Method))
            await SendReadyAsync(context, answer, ready, WriteAll, key);
        else await SendPassingAsync(context, answer, WriteAll);
        return Results.Empty;

        IEnumerable<ReadOnlyMemory<byte>> WriteAll() => Write(metadata, null, new(key.Root, tokens, new StudyPath(study)), isXml);
    }

    private static IResult? TryRead(
        HttpContext context, out Access access, out Uid study, out Uid? series, out Uid? instance, out bool isXml)
    {
        isXml = false;
        access = context.GetAccess();
        var isValid = context.TryReadUids(out var uid, out series, out instance, out var problem);
        study = uid ?? default;
        if (!isValid) return problem;
        return context.Request.RefuseDatasets("Metadata is", out isXml);
    }

    private static IResult NotFound(HttpContext context, string path, string detail, SeriesResult result) =>
        result.Failures.Count > 0 ? result.Failures.ToProblem() : context.ToMissingProblem(path, detail);

    private static void Warn(HttpResponse response, CacheStatus status, IReadOnlyList<BackendFailure> failures)
    {
        if (status == CacheStatus.Stale) response.AddWarning("The stored metadata is stale, and no backend has confirmed it");
        response.AddWarnings(failures);
    }

    private static void WarnOfOmissions(HttpResponse response, IReadOnlyList<PackedInstances> metadata)
    {
        var (datasets, attributes) = (0, 0);
        for (var i = 0; i < metadata.Count; i++)
        {
            datasets += metadata[i].Skipped.Datasets;
            attributes += metadata[i].Skipped.Attributes;
        }
        if (datasets > 0) response.AddWarning($"{datasets} instances without a valid UID were left out");
        if (attributes > 0) response.AddWarning($"{attributes} attributes that are not valid DICOM JSON were left out");
    }

    private static IEnumerable<ReadOnlyMemory<byte>> Write(
        IReadOnlyList<PackedInstances> metadata, Uid? instance, ClientRoot root, bool isXml) =>
        isXml ? DicomXmlParts.Write(ReadEach(metadata, instance).Select(d => Rooted(d, root))) : WriteJson(metadata, instance, root);

    private static IEnumerable<ReadOnlyMemory<byte>> ReadEach(IReadOnlyList<PackedInstances> metadata, Uid? instance) =>
        instance is { } one
            ? [metadata[0].FindJson(one)!.Value]
            : metadata.SelectMany(series => series.ReadEach().Select(dataset => dataset.Json));

    private static IEnumerable<ReadOnlyMemory<byte>> WriteJson(IReadOnlyList<PackedInstances> metadata, Uid? instance, ClientRoot root)
    {
        for (var i = 0; i < metadata.Count; i++)
        {
            yield return i == 0 ? "["u8.ToArray() : ","u8.ToArray();
            if (instance is { } one) yield return Rooted(metadata[i].FindJson(one)!.Value, root);
            else foreach (var piece in metadata[i].ReadText()) yield return Rooted(piece, root);
        }
        yield return "]"u8.ToArray();
    }

    private static ReadOnlyMemory<byte> Rooted(ReadOnlyMemory<byte> stored, ClientRoot root)
    {
        var output = new ArrayBufferWriter<byte>(stored.Length + stored.Length / 16 + 256);
        DicomJsonWriter.Write(output, stored.Span, root);
        return output.WrittenMemory;
    }
}
