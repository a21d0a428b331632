using System.IO.Compression;
using System.Text;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Operations;

namespace Proxy.Retrieve;

/// <summary>Writes whole instances to a client as a ZIP file, entry by entry while they arrive.</summary>
/// <remarks>
/// <code>
/// local header │ file │ checksum and length     of each instance, not compressed
/// central directory                             only after every instance was sent whole
/// </code>
/// Without its directory a ZIP file is unreadable, so a truncated answer is never taken for a complete one. The names consist of
/// UIDs: they are unique, safe in every file system, and say nothing about the patient. Equal instances give equal bytes.
/// </remarks>
internal static class ZipAnswer
{
    /// <summary>The earliest time that an entry can have.</summary>
    private static readonly DateTimeOffset NoTime = new(1980, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>Sets the headers of the answer.</summary>
    /// <param name="response">The answer.</param>
    /// <param name="resource">The study, series or instance, which names the file.</param>
    public static void SetHeaders(HttpResponse response, Uid resource)
    {
        response.SetInert();
        response.ContentType = MediaType.Zip;
        response.Headers.ContentDisposition = $"attachment; filename=\"{resource}.zip\"";
    }

    /// <summary>Writes the instances. An unavailable one closes the connection.</summary>
    /// <param name="context">The request; its response has headers.</param>
    /// <param name="parts">Positioned at the first instance, which has a body.</param>
    public static async Task WriteAsync(HttpContext context, IAsyncEnumerator<InstancePart> parts)
    {
        var stopped = context.RequestAborted;
        await context.Response.StartAsync(stopped);
        await using var output = new ZipOutput(
            context.Response.BodyWriter, context.RequestServices.GetRequiredService<ResponseSteps>(), stopped);
        await using var zip = await ZipArchive.CreateAsync(output, ZipArchiveMode.Create, leaveOpen: true, Encoding.UTF8, stopped);
        try
        {
            do
            {
                using var result = parts.Current.Result;
                if (result.Body is not { } body) throw new TruncatedBodyException();
                var entry = zip.CreateEntry(GetName(parts.Current.Path), CompressionLevel.NoCompression);
                entry.LastWriteTime = NoTime;
                await CopyAsync(body, entry, output, stopped);
            }
            while (await parts.MoveNextAsync());
        }
        catch
        {
            output.Break();
            throw;
        }
    }

    private static async Task CopyAsync(IBody body, ZipArchiveEntry entry, ZipOutput output, CancellationToken stopped)
    {
        await using var file = await entry.OpenAsync(stopped);
        try
        {
            for (ReadOnlyMemory<byte> piece; !(piece = await body.ReadAsync(stopped)).IsEmpty;) await file.WriteAsync(piece, stopped);
        }
        catch
        {
            // Before the entry gets a checksum of half of its file.
            output.Break();
            throw;
        }
    }

    private static string GetName(InstancePath path) => $"{path.Series}/{path.Instance}.dcm";
}
