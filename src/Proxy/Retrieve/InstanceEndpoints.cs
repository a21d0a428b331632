using System.IO.Hashing;
using System.Text;
using Proxy.Backends;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Operations;
using Proxy.Search;

namespace Proxy.Retrieve;

/// <summary>Whole instances: WADO-RS of a study, a series or an instance (PS3.18 §10.4.1.1.1), and WADO-URI (PS3.18 §9).</summary>
/// <remarks>One instance is kept like a frame. Those of a whole series or study are kept on disk alone: they would throw out of memory what is being read.</remarks>
internal static class InstanceEndpoints
{
    public static void MapInstances(this IEndpointRouteBuilder root)
    {
        root.MapRead("/studies/{study}", AnswerManyAsync);
        root.MapRead("/studies/{study}/series/{series}", AnswerManyAsync);
        root.MapRead("/studies/{study}/series/{series}/instances/{instance}", AnswerOneAsync);
        root.MapRead("", AnswerUriAsync);
    }

    private static async Task<IResult> AnswerOneAsync(HttpContext context, BodyReader reader, TimeProvider time)
    {
        if (!context.TryReadUids(out var study, out var series, out var instance, out var problem)) return problem;
        var (format, isMultipart) = Choose(context);
        if (format is null) return NotAcceptable();
        var path = new InstancePath(study!.Value, series!.Value, instance!.Value);
        return await AnswerAsync(context, reader, time, [path], format, isMultipart);
    }

    private static async Task<IResult> AnswerManyAsync(HttpContext context, BodyReader reader, SeriesReader seriesReader, SeriesListReader lists, TimeProvider time)
    {
        if (!context.TryReadUids(out var study, out var series, out _, out var problem)) return problem;
        var (format, isMultipart) = Choose(context);
        if (format is null || !isMultipart) return NotAcceptable();
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
        return paths.Count == 0 ? Problems.NotFound("No backend holds it.") : await AnswerAsync(context, reader, time, paths, format, isMultipart: true);
    }

    /// <summary><c>?requestType=WADO&amp;studyUID=…&amp;seriesUID=…&amp;objectUID=…</c>: one instance as it is in a file.</summary>
    private static async Task<IResult> AnswerUriAsync(HttpContext context, BodyReader reader, TimeProvider time)
    {
        var query = context.Request.Query;
        if (query["requestType"] != "WADO") return Problems.BadParameter("requestType", "WADO (PS3.18 §9.1.2.1)");
        var uids = new Uid[3];
        string[] names = ["studyUID", "seriesUID", "objectUID"];
        for (var i = 0; i < names.Length; i++)
        {
            if (!Uid.TryParse(query[names[i]], out uids[i])) return Problems.BadParameter(names[i], "needed: a UID (PS3.18 §9.1.2.1)");
        }
        if (query["contentType"] is not [BodyFormat.Dicom]) return Problems.BadParameter("contentType", $"needed: {BodyFormat.Dicom}, the one type that is given here");
        var transferSyntax = query["transferSyntax"] is [{ Length: > 0 } text] ? text : BodyFormat.Unnamed;
        if (transferSyntax is not (BodyFormat.Any or BodyFormat.Unnamed) && !Uid.TryParse(transferSyntax, out _)) return Problems.BadParameter("transferSyntax", "a UID or * (PS3.18 §9.1.2.2.4)");
        return await AnswerAsync(context, reader, time, [new(uids[0], uids[1], uids[2])], new(BodyFormat.Dicom, transferSyntax), isMultipart: false);
    }

    private static async Task<IResult> AnswerAsync(HttpContext context, BodyReader reader, TimeProvider time, List<InstancePath> paths, BodyFormat format, bool isMultipart)
    {
        var scope = context.GetScope();
        using var first = await ReadAsync(0);
        if (first.Body is not { } body) return first.Failures.Count > 0 ? first.Failures.ToProblem() : Problems.NotFound("No backend holds this instance.");
        var response = context.Response;
        response.SetCacheStatus(first.Status, isStored: paths.Count == 1, body.IsPrefetched);
        response.SetPrivate();
        response.Headers.Vary = "Accept";
        if (body.Stored is { } stored) response.SetAge(Store.Ages.Of(stored, time.GetUtcNow()));
        var tag = XxHash64.HashToUInt64(Encoding.UTF8.GetBytes($"{scope.Path} {string.Join(' ', paths)} {format} {isMultipart}"));
        if (paths.Count == 1 && context.IsNotModified($"\"{tag:x16}\"")) return Results.Empty;
        var boundary = $"instances-{tag:x16}";
        if (paths.Count > 1) await MultipartAnswer.WriteManyAsync(context, boundary, body, paths.Count, ReadAsync);
        else await MultipartAnswer.WriteOneAsync(context, isMultipart ? Wrapping.Multipart(boundary, body.Head) : Wrapping.None(body.Head), body);
        return Results.Empty;

        Task<BodyResult> ReadAsync(int place) => reader.ReadAsync(scope, paths[place], frame: null, [format], paths.Count == 1 ? Keep.InMemory : Keep.OnDisk, context.RequestAborted);
    }

    private static (BodyFormat? Format, bool IsMultipart) Choose(HttpContext context)
    {
        var accepted = Accept.Parse(context.Request.Headers.Accept);
        if (accepted.IsEmpty) return (new(BodyFormat.Dicom, BodyFormat.Unnamed), true);
        foreach (var type in accepted)
        {
            var isMultipart = type.Is(MediaType.MultipartRelated);
            if (type.Type is "*/*" or "multipart/*" || isMultipart && type.Find("type") is null) return (new(BodyFormat.Dicom, BodyFormat.Unnamed), true);
            if (BodyFormat.Of(type) is { MediaType: BodyFormat.Dicom } format) return (format, isMultipart);
        }
        return (null, false);
    }

    private static IResult NotAcceptable() => Problems.NotAcceptable("Instances are given as multipart/related; type=\"application/dicom\"; one alone also as application/dicom.");
}
