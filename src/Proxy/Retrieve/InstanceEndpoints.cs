using Proxy.Backends;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Locating;
using Proxy.Operations;
using Proxy.Wire;

namespace Proxy.Retrieve;

/// <summary>Whole instances: WADO-RS of a study, a series or an instance (PS3.18 §10.4.1.1.1).</summary>
/// <remarks>
/// A single instance is cached like a frame. Those of a whole series or study are cached on disk only: in memory they would evict
/// the entries of the study on screen.
/// </remarks>
internal static class InstanceEndpoints
{
    public static void MapInstances(this IEndpointRouteBuilder root)
    {
        root.MapRead("/studies/{study}", AnswerStudyAsync);
        root.MapRead("/studies/{study}/series/{series}", AnswerSeriesAsync);
        root.MapRead("/studies/{study}/series/{series}/instances/{instance}", AnswerOneAsync);
    }

    private static async Task<IResult> AnswerOneAsync(HttpContext context, BodyReader reader, TimeProvider time)
    {
        if (!context.TryReadUids(out var study, out var series, out var instance, out var problem)) return problem;
        var forms = InstanceForms.Read(context.Request, areMany: false);
        if (forms.Negotiation.Forms.IsEmpty) return NotAcceptable();
        var path = new InstancePath(study!.Value, series!.Value, instance!.Value);
        if (!forms.IsZip) return await AnswerInstanceAsync(context, reader, time, path, forms.Negotiation);
        return await AnswerAsync(context, ReadAsync(), time, new(forms, path.Instance, _ => { }));

        async IAsyncEnumerable<InstancePart> ReadAsync()
        {
            yield return new(
                path,
                await reader.ReadAsync(
                    context.GetAccess(), path, frame: null, forms.Negotiation, Placement.MemoryAndDisk, context.RequestAborted));
        }
    }

    /// <summary>Sends one instance, as a single part or as the only part of a multipart answer.</summary>
    public static async Task<IResult> AnswerInstanceAsync(
        HttpContext context, BodyReader reader, TimeProvider time, InstancePath path, Negotiation negotiation)
    {
        var (access, started) = (context.GetAccess(), time.GetTimestamp());
        using var result = await reader.ReadAsync(access, path, frame: null, negotiation, Placement.MemoryAndDisk, context.RequestAborted);
        if (result.Body is not { } body) return NotFound(context, path, result);
        var isMultipart = negotiation.Choose(body.Head)!.IsMultipart;
        var tag = BodyTag.Create($"{result.Backend} {access.Path}/{path} {Wrapping.GetContentType(body.Head)}", body, isMultipart);
        var answer = result.ToAnswer(body, time.GetUtcNow(), time.GetElapsedTime(started)) with { ETag = tag?.Plain };
        if (!answer.Begin(context)) return Results.Empty;
        await MultipartAnswer.WriteOneAsync(
            context, isMultipart ? Wrapping.Multipart(body.Head, $"{context.GetRootAddress(access)}/{path}") : Wrapping.None(body.Head),
            body);
        return Results.Empty;
    }

    private static async Task<IResult> AnswerSeriesAsync(
        HttpContext context, SeriesBodies bodies, SeriesReader seriesReader, TimeProvider time)
    {
        if (!context.TryReadUids(out var study, out var series, out _, out var problem)) return problem;
        var forms = InstanceForms.Read(context.Request, areMany: true);
        if (forms.Negotiation.Forms.IsEmpty) return NotAcceptable();
        var path = new SeriesPath(study!.Value, series!.Value);
        var result = await seriesReader.ReadAsync(context.GetAccess(), path, bypassCache: false, context.RequestAborted);
        if (result.Metadata is not { } metadata)
        {
            return result.Failures.Count > 0
                ? result.Failures.ToProblem()
                : context.ToMissingProblem(path.ToString(), "No backend holds this series.");
        }
        return await AnswerAllAsync(
            context, bodies, time, [new(result.Backend, path, [.. metadata.Uids])], new(forms, path.Series, _ => { }));
    }

    /// <summary>
    /// Sends every series of the study from its owner. While a backend fails, the last known series lists decide whether the answer
    /// is complete.
    /// </summary>
    private static async Task<IResult> AnswerStudyAsync(
        HttpContext context, SeriesBodies bodies, SeriesReader seriesReader, SeriesLocator locator, Reloadable<RetrieveOptions> options,
        TimeProvider time)
    {
        if (!context.TryReadUids(out var uid, out _, out _, out var problem)) return problem;
        var forms = InstanceForms.Read(context.Request, areMany: true);
        if (forms.Negotiation.Forms.IsEmpty) return NotAcceptable();
        var (access, study, stopped) = (context.GetAccess(), uid!.Value, context.RequestAborted);
        var canBeUnread = !options.Value.AllowPartial && !HttpMethods.IsHead(context.Request.Method);
        // Of several backends, the lists say which one holds the study. A single one sends its answer over the connection that is open.
        var locating = access.Backends.Count > 1 ? LocateAsync() : null;
        using var ahead = canBeUnread && locating?.IsCompleted != true ? bodies.BeginAhead(access, study, forms.Negotiation) : new([]);
        locating ??= LocateAsync();
        var started = time.GetTimestamp();
        if (await bodies.FindSoleAsync(access, study, ahead, stopped) is { } sole)
        {
            await using var parts = bodies.ReadSoleAsync(access, sole, locating, forms.Negotiation, stopped).GetAsyncEnumerator(stopped);
            if (await parts.MoveNextAsync())
                return await SendAsync(context, parts, time.GetElapsedTime(started), time, new(forms, study, _ => { }));
        }
        var places = await locating;
        if (canBeUnread && bodies.FindUnread(places, access, study) is { } unread)
        {
            var all = bodies.ReadUnreadAsync(access, places, unread, ahead, forms.Negotiation, stopped);
            return await AnswerAsync(context, all, time, new(forms, study, _ => { }));
        }
        ahead.DisposeOthers();
        var contents = await StudyContents.ReadAsync(
            places, access, series => seriesReader.ReadAsync(access, new(study, series), bypassCache: false, stopped),
            (series, result) => bodies.HasAllAsync(GetInstances(series, result), forms.Negotiation, stopped));
        if (contents.FindProblem(context, study, options.Value) is { } failed) return failed;
        return await AnswerAllAsync(
            context, bodies, time, [.. contents.Series.Select(s => GetInstances(s.Uid, s.Result))], new(forms, study, contents.Warn));

        Task<StudyHolders> LocateAsync() => locator.LocateAsync(access, study, ReadPurpose.Client, stopped);

        SeriesInstances GetInstances(Uid series, SeriesResult result) =>
            new(result.Backend, new(study, series), [.. result.Metadata!.Uids]);
    }

    /// <summary>An answer with several instances.</summary>
    /// <param name="Forms">The forms of the instances.</param>
    /// <param name="Resource">The study, series or instance, which names a ZIP file.</param>
    /// <param name="Warn">Adds warnings.</param>
    private sealed record Whole(InstanceForms Forms, Uid Resource, Action<HttpResponse> Warn);

    private static async Task<IResult> AnswerAllAsync(
        HttpContext context, SeriesBodies bodies, TimeProvider time, IReadOnlyList<SeriesInstances> series, Whole whole)
    {
        var (negotiation, stopped) = (whole.Forms.Negotiation, context.RequestAborted);
        if (!HttpMethods.IsHead(context.Request.Method))
            return await AnswerAsync(context, bodies.ReadAsync(context.GetAccess(), series, negotiation, stopped), time, whole);
        var isCached = true;
        foreach (var one in series) isCached = isCached && await bodies.HasAllAsync(one, negotiation, stopped);
        Begin(context, new(isCached ? CacheStatus.Hit : CacheStatus.Miss), whole);
        return Results.Empty;
    }

    /// <summary>Sends instances as they arrive.</summary>
    private static async Task<IResult> AnswerAsync(
        HttpContext context, IAsyncEnumerable<InstancePart> instances, TimeProvider time, Whole whole)
    {
        var started = time.GetTimestamp();
        await using var parts = instances.GetAsyncEnumerator(context.RequestAborted);
        if (!await parts.MoveNextAsync()) return Problems.NotFound("No backend holds an instance of this study or series.");
        return await SendAsync(context, parts, time.GetElapsedTime(started), time, whole);
    }

    /// <summary>Sends instances, of which the first is there after <paramref name="elapsed"/>.</summary>
    private static async Task<IResult> SendAsync(
        HttpContext context, IAsyncEnumerator<InstancePart> parts, TimeSpan elapsed, TimeProvider time, Whole whole)
    {
        if (parts.Current.Result.Body is not { } body) return NotFound(context, parts.Current.Path, parts.Current.Result);
        var writer = Begin(context, parts.Current.Result.ToAnswer(body, time.GetUtcNow(), elapsed), whole);
        if (MultipartAnswer.EndHead(context, body))
        {
            parts.Current.Result.Dispose();
            return Results.Empty;
        }
        var root = context.GetRootAddress(context.GetAccess());
        if (writer is null) await ZipAnswer.WriteAsync(context, parts);
        else await MultipartAnswer.WriteAllAsync(context, writer, parts, path => $"{root}/{path}");
        return Results.Empty;
    }

    /// <summary>Sets the headers of the answer.</summary>
    /// <returns>Writes the parts; null for a ZIP file.</returns>
    private static MultipartWriter? Begin(HttpContext context, CachedAnswer answer, Whole whole)
    {
        whole.Warn(context.Response);
        (answer with { IsStored = false }).Begin(context);
        if (!whole.Forms.IsZip) return MultipartAnswer.SetHeaders(context.Response);
        ZipAnswer.SetHeaders(context.Response, whole.Resource);
        return null;
    }

    private static IResult NotFound(HttpContext context, InstancePath path, BodyResult result) =>
        result.Failures.Count > 0
            ? result.Failures.ToProblem()
            : context.ToMissingProblem(path.ToString(), "No backend holds this instance.");

    private static IResult NotAcceptable() => Problems.NotAcceptable(
        "Instances are served as multipart/related; type=\"application/dicom\" or application/zip, and a single instance also as "
        + "application/dicom; never in Implicit VR Little Endian or Explicit VR Big Endian.");
}
