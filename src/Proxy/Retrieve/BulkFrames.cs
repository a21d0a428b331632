using Proxy.Backends;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Wire;

namespace Proxy.Retrieve;

/// <summary>
/// Answers a request for the compressed pixel data of several frames: one part for each frame, in its own type (PS3.18 §8.7.3.3.2).
/// </summary>
/// <remarks>
/// Only for links that the proxy wrote when it read the instance's file: the frames are cut out of it. In another form than multipart, or
/// as octets without a transfer syntax, all fragments are one body.
/// </remarks>
public sealed class BulkFrames(FileBulkData files, BodyReader reader, TimeProvider time)
{
    private static readonly Negotiation Stored = Negotiation.Create(BodyFormat.AsStored);

    /// <summary>False, and nothing is sent, when the item is something else, or the client does not accept frames in parts.</summary>
    internal async Task<bool> TryAnswerAsync(HttpContext context, BackendOptions backend, BulkDataPath item, BulkDataForms forms)
    {
        var (access, stopped, started) = (context.GetAccess(), context.RequestAborted, time.GetTimestamp());
        if (!forms.AcceptsMultipart || await files.FindFramesAsync(backend, item, stopped) is not var (path, count)) return false;
        using var first = await ReadAsync(0);
        if (first.Body is not { } body || forms.Choose(body.Head)?.IsMultipart != true) return false;
        var root = $"{context.GetRootAddress(access)}/{path}/frames/";
        var tag = BodyTag.Create($"{first.Backend} {access.Path} {item.CacheKey} {Wrapping.GetContentType(body.Head)}", isMultipart: true);
        if ((first.ToAnswer(body, time.GetUtcNow(), time.GetElapsedTime(started)) with { ETag = tag.Plain }).Begin(context))
            await MultipartAnswer.WriteManyAsync(context, body, count, ReadAsync, index => $"{root}{index + 1}");
        return true;

        Task<BodyResult> ReadAsync(int index) => reader.ReadAsync(access, path, index + 1, Stored, Placement.MemoryAndDisk, stopped);
    }
}
