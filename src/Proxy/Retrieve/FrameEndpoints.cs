using System.Globalization;
using System.IO.Hashing;
using System.Text;
using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Operations;
using Proxy.Wire;

namespace Proxy.Retrieve;

/// <summary>WADO-RS frames, one or a list (PS3.18 §10.4.1.1.6).</summary>
internal static class FrameEndpoints
{
    /// <summary>How many frames of a list are on their way at once.</summary>
    private const int Ahead = 4;

    private const int MaxFrames = 10_000;

    private static readonly string[] Methods = [HttpMethods.Get, HttpMethods.Head];

    public static void MapFrames(this IEndpointRouteBuilder root) =>
        root.MapMethods("/studies/{study}/series/{series}/instances/{instance}/frames/{frames}", Methods, AnswerAsync);

    private static async Task<IResult> AnswerAsync(HttpContext context, FrameReader reader, TimeProvider time, string frames)
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
        var first = await reader.ReadAsync(scope, new(path, numbers[0]), formats, context.RequestAborted);
        using (first)
        {
            if (first.Head is not { } head) return first.Failures.Count > 0 ? first.Failures.ToProblem() : Problems.NotFound("No backend holds this frame.");
            var response = context.Response;
            response.SetCacheStatus(first.Status);
            response.SetPrivate();
            response.Headers.Vary = "Accept";
            if (first.Entry is { } entry) response.SetAge(Store.Ages.Of(entry.Stored, time.GetUtcNow()));
            else response.SetServerTiming(time.GetElapsedTime(started));
            // A frame's pixels never change under its UID, so its name is its tag: a miss has one too.
            var tag = XxHash64.HashToUInt64(Encoding.UTF8.GetBytes($"{scope.Path} {path} {frames} {formats[0]} {isMultipart}"));
            if (context.IsNotModified($"\"{tag:x16}\"")) return Results.Empty;
            if (!isMultipart)
            {
                response.ContentType = PartType(head);
                response.ContentLength = head.Length;
                await WriteAsync(context, first);
                return Results.Empty;
            }
            await WriteMultipartAsync(context, reader, scope, path, numbers, formats, first, new($"frames-{tag:x16}"));
            return Results.Empty;
        }
    }

    private static async Task WriteMultipartAsync(
        HttpContext context, FrameReader reader, BackendScope scope, InstancePath path, List<int> numbers, IReadOnlyList<FrameFormat> formats, BodyResult first, MultipartWriter writer)
    {
        var response = context.Response;
        var head = first.Head!;
        response.ContentType = $"multipart/related; type=\"{head.MediaType}\"; boundary={writer.Boundary}";
        var opening = writer.PartHead(isFirst: true, PartType(head), head.Length);
        var end = writer.End();
        if (numbers.Count == 1 && head.Length is { } length) response.ContentLength = opening.Length + length + end.Length;
        await response.BodyWriter.WriteAsync(opening, context.RequestAborted);
        await WriteAsync(context, first);

        var coming = new Queue<Task<BodyResult>>();
        try
        {
            for (int next = 1, written = 1; written < numbers.Count; written++)
            {
                while (next < numbers.Count && coming.Count < Ahead) coming.Enqueue(reader.ReadAsync(scope, new(path, numbers[next++]), formats, context.RequestAborted));
                using var body = await coming.Dequeue();
                if (body.Head is null) throw new BrokenBodyException();
                await response.BodyWriter.WriteAsync(writer.PartHead(isFirst: false, PartType(body.Head), body.Head.Length), context.RequestAborted);
                await WriteAsync(context, body);
            }
        }
        finally
        {
            foreach (var rest in coming) _ = rest.ContinueWith(static r => r.Result.Dispose(), CancellationToken.None, TaskContinuationOptions.OnlyOnRanToCompletion, TaskScheduler.Default);
        }
        await response.BodyWriter.WriteAsync(end, context.RequestAborted);
    }

    private static Task WriteAsync(HttpContext context, BodyResult body) => BodyCopy.ToClientAsync(context, body);

    private static string PartType(Cache.EntryHead head) =>
        head.TransferSyntax is null ? head.MediaType : $"{head.MediaType}; transfer-syntax={head.TransferSyntax}";

    /// <summary>The forms that the client takes, best first, all of them wrapped the way the best one is.</summary>
    private static (IReadOnlyList<FrameFormat> Formats, bool IsMultipart) Choose(IReadOnlyList<MediaType> accepted)
    {
        if (accepted.Count == 0) return ([new(MediaType.OctetStream, FrameFormat.ExplicitLittleEndian)], true);
        var usable = accepted.Select(type => (Format: FrameFormat.Of(type), IsMultipart: type.Is(MediaType.MultipartRelated) || type.Type is "*/*" or "multipart/*"))
            .Where(c => c.Format is not null).ToList();
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
