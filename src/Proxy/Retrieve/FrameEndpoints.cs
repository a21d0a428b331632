using System.Globalization;
using Proxy.Backends;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Operations;

namespace Proxy.Retrieve;

/// <summary>WADO-RS frames, single or as a list (PS3.18 §10.4.1.1.6).</summary>
internal static class FrameEndpoints
{
    private const int MaxFrames = 10_000;

    /// <summary>
    /// The limit of repeated numbers in a list: a short request must not get one large frame thousands of times. Viewers repeat none.
    /// </summary>
    private const int MaxRepeats = 16;

    public static void MapFrames(this IEndpointRouteBuilder root) =>
        root.MapRead("/studies/{study}/series/{series}/instances/{instance}/frames/{frames}", AnswerAsync);

    private static async Task<IResult> AnswerAsync(
        HttpContext context, BodyReader reader, PackedFrames packedFrames, TranscodedFrames transcodedFrames,
        Reloadable<CacheOptions> cache, Reloadable<RetrieveOptions> options, TimeProvider time, string frames)
    {
        var access = context.GetAccess();
        if (!context.TryReadUids(out var study, out var series, out var instance, out var problem)) return problem;
        if (!TryReadFrames(frames, out var numbers)) return BadFrames();
        var negotiation = Negotiate(context, options.Value, numbers.Count);
        if (negotiation.Forms.IsEmpty) return NotAcceptable();

        var path = new InstancePath(study!.Value, series!.Value, instance!.Value);
        var started = time.GetTimestamp();
        // Check the whole list first: a missing frame cannot become a 404 after the first part was sent.
        if (numbers.Count > 1 && reader.LacksFrame(access, path, numbers)) return Problems.NotFound("The instance has no such frame.");
        var first = await ReadAsync(0);
        using (first)
        {
            if (first.Body is not { } body)
            {
                return first.Failures.Count > 0
                    ? first.Failures.ToProblem()
                    : context.ToMissingProblem(new FramePath(path, numbers[0]).ToString(), "No backend holds this frame.");
            }
            var answer = first.ToAnswer(body, time.GetUtcNow(), time.GetElapsedTime(started))
                with
            { Vary = CachedAnswer.ByAcceptAndCoding };
            var root = $"{context.GetRootAddress(access)}/{path}/frames/";
            if (numbers.Count > 1)
            {
                var all = BodyTag.Create(
                    $"{first.Backend} {access.Path}/{path}/frames/{frames} {body.Head.TransferSyntax} {negotiation.Name}",
                    isMultipart: true);
                if ((answer with { ETag = all.Plain }).Begin(context))
                    await MultipartAnswer.WriteManyAsync(context, body, numbers.Count, ReadAsync, index => root + numbers[index]);
                return Results.Empty;
            }
            var isMultipart = negotiation.Choose(body.Head)!.IsMultipart;
            var location = root + numbers[0];
            var tag = BodyTag.Create(
                $"{first.Backend} {access.Path}/{path}/frames/{numbers[0]} {Wrapping.GetContentType(body.Head)}", body, isMultipart);
            var wrapping = isMultipart ? Wrapping.Multipart(body.Head, location) : Wrapping.None(body.Head);
            var frame = new BodyPath(path, numbers[0]);
            var canTranscode = negotiation.Transcoded is not null && transcodedFrames.CanTranscode(first, frame, negotiation);
            // A range is one of the uncompressed bytes; a multipart answer has none.
            var canPack = cache.Value.PacksFrames && !canTranscode && PackedFrames.CanPack(body.Head)
                && (isMultipart || context.Request.Headers.Range.Count == 0);
            var coding = canPack ? context.Request.ChooseCoding() : Coding.Identity;
            if (coding != Coding.Identity && tag is { } name)
                await AnswerPackedAsync(
                    context, answer, first, new(first.Backend, $"{location} {name.Plain}", coding), name, wrapping, packedFrames);
            else if ((answer with { ETag = tag?.Plain }).Begin(context)) await MultipartAnswer.WriteOneAsync(context, wrapping, body);
            if (canTranscode) transcodedFrames.Enqueue(first, frame, negotiation);
            return Results.Empty;
        }

        Task<BodyResult> ReadAsync(int index) =>
            reader.ReadAsync(access, path, numbers[index], negotiation, Placement.MemoryAndDisk, context.RequestAborted);
    }

    private static Negotiation Negotiate(HttpContext context, RetrieveOptions options, int count)
    {
        var negotiation = Negotiation.ForFrames(context.Request);
        if (count > 1) return negotiation.MultipartOnly();
        // Ranges of one frame must be ranges of the same bytes.
        return context.Request.Headers.Range.Count == 0
            ? negotiation.WithTranscoded(options.FindTranscoded(context.Connection.RemoteIpAddress))
            : negotiation;
    }

    private static async Task AnswerPackedAsync(
        HttpContext context, CachedAnswer answer, BodyResult found, PackedFrames.Key key, BodyTag tag, Wrapping wrapping,
        PackedFrames packedFrames)
    {
        var body = found.Body!;
        var packed = packedFrames.Find(key, body);
        // Tags differ by coding (RFC 9110 §8.8.3.3), but the pixels do not: either tag of the client validates.
        var (plainTag, packedTag) = (tag.Plain, tag.Coded(key.Coding));
        if (packed is not { Body: { } bytes })
        {
            if (!(answer with { ETag = plainTag, EquivalentETag = packedTag }).Begin(context)) return;
            await MultipartAnswer.WriteOneAsync(context, wrapping, body);
            if (found.Status == CacheStatus.Hit && packed is null) packedFrames.Enqueue(key, body, wrapping);
            return;
        }
        answer = answer with { ETag = packedTag, EquivalentETag = plainTag, ContentType = packed.ContentType, Coding = key.Coding };
        if (!answer.Begin(context)) return;
        context.Response.SetInert();
        await answer.SendAsync(context, bytes);
    }

    private static IResult NotAcceptable() => Problems.NotAcceptable(
        "Frames are served as multipart/related or, for a single frame, as a single part; in application/octet-stream or the type "
        + "in which they are stored.");

    /// <summary>The problem of a list that <see cref="TryReadFrames"/> refuses.</summary>
    public static IResult BadFrames() =>
        Problems.BadParameter(
            "frames",
            $"a list of at most {MaxFrames} frame numbers from 1, separated by commas, such as 1,2,3 (PS3.18 §10.1.1), with at most "
            + $"{MaxRepeats} repetitions");

    /// <summary>Reads the frame numbers of a path.</summary>
    public static bool TryReadFrames(string text, out List<int> numbers)
    {
        numbers = [];
        var (known, repeats) = (new HashSet<int>(), 0);
        foreach (var part in text.Split(','))
        {
            if (!int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number < 1
                || numbers.Count == MaxFrames || !known.Add(number) && ++repeats > MaxRepeats)
                return false;
            numbers.Add(number);
        }
        return true;
    }
}
