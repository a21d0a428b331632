using System.Globalization;
using System.IO.Hashing;
using System.Text;
using Proxy.Backends;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Operations;

namespace Proxy.Retrieve;

/// <summary>WADO-RS frames, one or a list (PS3.18 §10.4.1.1.6).</summary>
internal static class FrameEndpoints
{
    private const int MaxFrames = 10_000;

    public static void MapFrames(this IEndpointRouteBuilder root) =>
        root.MapRead("/studies/{study}/series/{series}/instances/{instance}/frames/{frames}", AnswerAsync);

    private static async Task<IResult> AnswerAsync(HttpContext context, BodyReader reader, PackedFrames packedFrames, Reloadable<CacheOptions> cache, TimeProvider time, string frames)
    {
        var scope = context.GetScope();
        if (!context.TryReadUids(out var study, out var series, out var instance, out var problem)) return problem;
        if (!TryReadFrames(frames, out var numbers)) return Problems.BadParameter("frames", "a list of frame numbers from 1 with commas between them, such as 1,2,3 (PS3.18 §10.1.1)");
        var accepted = Accept.Parse(context.Request.Headers.Accept);
        var (formats, isMultipart) = Choose(accepted);
        if (formats.Count == 0) return Problems.NotAcceptable("Frames are given as multipart/related or, one alone, as a single part; of application/octet-stream or the type that they are stored in.");
        if (!isMultipart && numbers.Count > 1) return Problems.NotAcceptable("Several frames are given as multipart/related.");

        var path = new InstancePath(study!.Value, series!.Value, instance!.Value);
        var started = time.GetTimestamp();
        var first = await ReadAsync(0);
        using (first)
        {
            if (first.Body is not { } body) return first.Failures.Count > 0 ? first.Failures.ToProblem() : Problems.NotFound("No backend holds this frame.");
            var response = context.Response;
            response.SetCacheStatus(first.Status, isPrefetched: body.IsPrefetched);
            response.SetPrivate();
            response.Headers.Vary = "Accept, Accept-Encoding";
            if (body.Stored is { } stored) response.SetAge(Store.Ages.Of(stored, time.GetUtcNow()));
            else response.SetServerTiming(time.GetElapsedTime(started));
            // A frame's pixels never change under its UID, so its name is its tag: a miss has one too.
            var name = $"{scope.Path} {path} {frames} {formats[0]} {isMultipart}";
            var tag = $"{XxHash64.HashToUInt64(Encoding.UTF8.GetBytes(name)):x16}";
            var boundary = $"frames-{tag}";
            if (numbers.Count > 1)
            {
                if (!context.IsNotModified($"\"{tag}\"")) await MultipartAnswer.WriteManyAsync(context, boundary, body, numbers.Count, ReadAsync);
                return Results.Empty;
            }
            var coding = cache.Value.PacksFrames && PackedFrames.AreFor(body.Head) ? context.Request.ChooseCoding() : Coding.Identity;
            await AnswerOneAsync(context, first, name, tag, isMultipart ? Wrapping.Multipart(boundary, body.Head) : Wrapping.None(body.Head), coding, packedFrames);
            return Results.Empty;
        }

        Task<BodyResult> ReadAsync(int place) =>
            reader.ReadAsync(scope, path, numbers[place], formats, Keep.InMemory, context.RequestAborted);
    }

    private static async Task AnswerOneAsync(HttpContext context, BodyResult found, string name, string tag, Wrapping wrapping, Coding coding, PackedFrames packedFrames)
    {
        var (body, response) = (found.Body!, context.Response);
        if (coding == Coding.Identity)
        {
            if (!context.IsNotModified($"\"{tag}\"")) await MultipartAnswer.WriteOneAsync(context, wrapping, body);
            return;
        }
        var key = new PackedFrames.Key(found.Backend, name, coding);
        var packed = packedFrames.Find(key, body);
        // Strong tags differ by coding (RFC 9110 §8.8.3.3). The pixels do not: whichever the client has will do.
        var (plainTag, packedTag) = ($"\"{tag}\"", $"\"{tag}-{Codings.NameOf(coding)}\"");
        if (packed?.Body is not { } bytes)
        {
            if (context.IsNotModified(plainTag, packedTag)) return;
            await MultipartAnswer.WriteOneAsync(context, wrapping, body);
            if (found.Status == CacheStatus.Hit && packed is null) packedFrames.Want(key, body, wrapping);
            return;
        }
        if (context.IsNotModified(packedTag, plainTag)) return;
        response.ContentType = wrapping.ContentType;
        response.Headers.ContentEncoding = Codings.NameOf(coding);
        response.ContentLength = bytes.Length;
        await response.Body.WriteAsync(bytes, context.RequestAborted);
    }

    /// <summary>The forms that the client takes, best first, all of them wrapped the way the best one is.</summary>
    private static (IReadOnlyList<BodyFormat> Formats, bool IsMultipart) Choose(IReadOnlyList<MediaType> accepted)
    {
        if (accepted.Count == 0) return ([new(MediaType.OctetStream, BodyFormat.ExplicitLittleEndian)], true);
        var usable = accepted.Select(type => (Format: BodyFormat.Of(type), IsMultipart: type.Is(MediaType.MultipartRelated) || type.Type is "*/*" or "multipart/*"))
            .Where(c => c.Format is { MediaType: not BodyFormat.Dicom }).ToList();
        return usable.Count == 0 ? ([], false) : ([.. usable.Where(c => c.IsMultipart == usable[0].IsMultipart).Select(c => c.Format!)], usable[0].IsMultipart);
    }

    private static bool TryReadFrames(string text, out List<int> numbers)
    {
        numbers = [];
        foreach (var part in text.Split(','))
        {
            if (!int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number < 1 || numbers.Count == MaxFrames) return false;
            numbers.Add(number);
        }
        return true;
    }
}
