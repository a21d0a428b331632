using Proxy.Backends;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Operations;
using Proxy.Search;
using Proxy.Store;

namespace Proxy.Retrieve;

/// <summary>Whole instances: WADO-RS of a study, a series or an instance (PS3.18 §10.4.1.1.1).</summary>
/// <remarks>One instance is kept like a frame. Those of a whole series or study are kept on disk alone: they would throw out of memory what is being read.</remarks>
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
        var negotiation = Negotiation.ForInstances(context.Request);
        return negotiation.Forms.IsEmpty ? NotAcceptable() : await AnswerInstanceAsync(context, reader, time, new(study!.Value, series!.Value, instance!.Value), negotiation);
    }

    /// <summary>One instance, as a single part or the one part of a multipart answer.</summary>
    public static async Task<IResult> AnswerInstanceAsync(HttpContext context, BodyReader reader, TimeProvider time, InstancePath path, Negotiation negotiation)
    {
        var scope = context.GetScope();
        using var result = await reader.ReadAsync(scope, path, frame: null, negotiation, Keep.InMemory, context.RequestAborted);
        if (result.Body is not { } body) return NotFound(result);
        SetHeaders(context, result, body, time, isStored: true);
        var isMultipart = negotiation.Choose(body.Head)!.IsMultipart;
        var tag = BodyTag.Of($"{result.Backend} {scope.Path}/{path} {Wrapping.TypeOf(body.Head)}", isMultipart);
        if (context.IsNotModified(tag.Plain)) return Results.Empty;
        await MultipartAnswer.WriteOneAsync(context, isMultipart ? Wrapping.Multipart(body.Head, $"{context.GetRootAddress(scope)}/{path}") : Wrapping.None(body.Head), body);
        return Results.Empty;
    }

    private static async Task<IResult> AnswerSeriesAsync(HttpContext context, BodyReader reader, SeriesReader seriesReader, TimeProvider time)
    {
        if (!context.TryReadUids(out var study, out var series, out _, out var problem)) return problem;
        var negotiation = Negotiation.ForInstances(context.Request).MultipartOnly();
        if (negotiation.Forms.IsEmpty) return NotAcceptable();
        var path = new SeriesPath(study!.Value, series!.Value);
        var result = await seriesReader.ReadAsync(context.GetScope(), path, asksAnew: false, context.RequestAborted);
        if (result.Metadata is not { } metadata) return result.Failures.Count > 0 ? result.Failures.ToProblem() : Problems.NotFound("No backend holds it.");
        return await AnswerAsync(context, reader, time, PathsOf(path, metadata), negotiation);
    }

    /// <summary>Every series of the study from its owner. While a backend fails, the last known lists decide whether the rest is whole.</summary>
    private static async Task<IResult> AnswerStudyAsync(
        HttpContext context, BodyReader reader, SeriesReader seriesReader, SeriesListReader lists, Reloadable<RetrieveOptions> options, TimeProvider time)
    {
        if (!context.TryReadUids(out var uid, out _, out _, out var problem)) return problem;
        var negotiation = Negotiation.ForInstances(context.Request).MultipartOnly();
        if (negotiation.Forms.IsEmpty) return NotAcceptable();
        var (scope, study) = (context.GetScope(), uid!.Value);
        var places = await lists.LocateAsync(scope, study, isHurried: false, asksAnew: false, context.RequestAborted);
        var contents = await StudyContents.ReadAsync(
            places, scope, series => seriesReader.ReadAsync(scope, new(study, series), asksAnew: false, context.RequestAborted), AreKeptAsync);
        if (contents.FindProblem(options.Value) is { } failed) return failed;
        contents.Warn(context.Response);
        var paths = contents.Series.SelectMany(s => PathsOf(new(study, s.Uid), s.Result.Metadata!)).ToList();
        return await AnswerAsync(context, reader, time, paths, negotiation);

        async Task<bool> AreKeptAsync(Uid series, SeriesResult result)
        {
            foreach (var path in PathsOf(new(study, series), result.Metadata!))
            {
                if (!await reader.IsKeptAsync(result.Backend, path, frame: null, isCut: false, context.RequestAborted)) return false;
            }
            return true;
        }
    }

    private static List<InstancePath> PathsOf(SeriesPath series, PackedInstances metadata) =>
        [.. metadata.Uids.Select(instance => new InstancePath(series.Study, series.Series, instance))];

    private static async Task<IResult> AnswerAsync(HttpContext context, BodyReader reader, TimeProvider time, List<InstancePath> paths, Negotiation negotiation)
    {
        var scope = context.GetScope();
        var root = context.GetRootAddress(scope);
        using var first = await ReadAsync(0);
        if (first.Body is not { } body) return NotFound(first);
        SetHeaders(context, first, body, time, isStored: false);
        await MultipartAnswer.WriteManyAsync(context, body, paths.Count, ReadAsync, place => $"{root}/{paths[place]}");
        return Results.Empty;

        Task<BodyResult> ReadAsync(int place) => reader.ReadAsync(scope, paths[place], frame: null, negotiation, Keep.OnDisk, context.RequestAborted);
    }

    private static void SetHeaders(HttpContext context, BodyResult result, IBody body, TimeProvider time, bool isStored)
    {
        var response = context.Response;
        response.SetCacheStatus(result.Status, isStored, body.IsPrefetched);
        response.SetPrivate();
        response.Headers.Vary = "Accept";
        if (body.Stored is { } stored) response.SetAge(Store.Ages.Of(stored, time.GetUtcNow()));
    }

    private static IResult NotFound(BodyResult result) =>
        result.Failures.Count > 0 ? result.Failures.ToProblem() : Problems.NotFound("No backend holds this instance.");

    private static IResult NotAcceptable() => Problems.NotAcceptable(
        "Instances are given as multipart/related; type=\"application/dicom\"; one alone also as application/dicom; never in Implicit VR Little Endian or Explicit VR Big Endian.");
}
