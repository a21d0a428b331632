using Proxy.Backends;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Operations;
using Proxy.Search;

namespace Proxy.Retrieve;

/// <summary>Whole instances: WADO-RS of a study, a series or an instance (PS3.18 §10.4.1.1.1).</summary>
/// <remarks>One instance is kept like a frame. Those of a whole series or study are kept on disk alone: they would throw out of memory what is being read.</remarks>
internal static class InstanceEndpoints
{
    public static void MapInstances(this IEndpointRouteBuilder root)
    {
        root.MapRead("/studies/{study}", AnswerManyAsync);
        root.MapRead("/studies/{study}/series/{series}", AnswerManyAsync);
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

    private static async Task<IResult> AnswerManyAsync(HttpContext context, BodyReader reader, SeriesReader seriesReader, SeriesListReader lists, TimeProvider time)
    {
        if (!context.TryReadUids(out var study, out var series, out _, out var problem)) return problem;
        var negotiation = Negotiation.ForInstances(context.Request).MultipartOnly();
        if (negotiation.Forms.IsEmpty) return NotAcceptable();
        var scope = context.GetScope();
        List<Uid> uids = series is { } one ? [one] : [];
        if (series is null)
        {
            var places = await lists.LocateAsync(scope, study!.Value, isHurried: false, asksAnew: false, context.RequestAborted);
            if (places.Failures.Count > 0) return places.Failures.ToProblem();
            uids.AddRange(places.SeriesIn(scope));
        }
        var paths = new List<InstancePath>();
        foreach (var uid in uids)
        {
            var result = await seriesReader.ReadAsync(scope, new(study!.Value, uid), asksAnew: false, context.RequestAborted);
            if (result.Metadata is null && result.Failures.Count > 0) return result.Failures.ToProblem();
            paths.AddRange(result.Metadata?.Uids.Select(i => new InstancePath(study.Value, uid, i)) ?? []);
        }
        return paths.Count == 0 ? Problems.NotFound("No backend holds it.") : await AnswerAsync(context, reader, time, paths, negotiation);
    }

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
