using System.Buffers.Binary;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Proxy.Benchmarks;

/// <summary>A PACS that holds any study <c>2.25.88.n</c>: a CT of 120 instances of 512 KiB, and three small series.</summary>
internal sealed class StudyPacs : IAsyncDisposable
{
    private const int PixelBytes = 512 * 512 * 2;
    private const string Boundary = "--b\r\nContent-Type: application/dicom\r\nContent-Length: ";

    /// <summary>The number of instances of each series.</summary>
    private static readonly int[] Counts = [2, 120, 1, 1];

    private static readonly byte[] Pixels = new byte[PixelBytes];

    private readonly WebApplication _app;

    private readonly int[] _alone;

    private StudyPacs(WebApplication app, int[] alone) => (_app, _alone, Root) = (app, alone, new Uri(app.Urls.Single() + "/dicom-web/"));

    /// <summary>The DICOMweb root.</summary>
    public Uri Root { get; }

    /// <summary>The number of requests for single instances so far.</summary>
    public int Alone => Volatile.Read(ref _alone[0]);

    /// <summary>The path of a study below a DICOMweb root.</summary>
    public static string StudyPath(int number) => $"studies/2.25.88.{number}";

    public static async Task<StudyPacs> StartAsync()
    {
        new Random(1).NextBytes(Pixels);
        var builder = WebApplication.CreateBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        var alone = new int[1];
        app.Map("/dicom-web/studies/{s}/series", (HttpContext c, string s) => SendAsync(c, Series(s).Select(e =>
            $$$"""{{{{Uid("0020000D", s)}}},{{{Uid("0020000E", e)}}},"00201209":{"vr":"IS","Value":[{{{Count(e)}}}]}}""")));
        app.Map("/dicom-web/studies/{s}/series/{e}/metadata", (HttpContext c, string s, string e) => SendAsync(c, Instances(e).Select(
            i => $$$"""{{{{Uid("00080018", i)}}},{{{Uid("0020000D", s)}}},{{{Uid("0020000E", e)}}}}""")));
        app.Map("/dicom-web/studies/{s}/series/{e}", (HttpContext c, string s, string e) => SendAsync(c, s, [e]));
        app.Map("/dicom-web/studies/{s}", (HttpContext c, string s) => SendAsync(c, s, Series(s)));
        app.Map("/dicom-web/studies/{s}/series/{e}/instances/{i}", (HttpContext c, string s, string e, string i) =>
        {
            Interlocked.Increment(ref alone[0]);
            return SendAsync(c, s, [e], i);
        });
        // One body of any size, as a server of files sends it.
        app.Map("/file/{length}", async (HttpContext c, int length) =>
        {
            c.Response.ContentLength = length;
            for (var left = length; left > 0; left -= PixelBytes)
                await c.Response.Body.WriteAsync(Pixels.AsMemory(0, Math.Min(left, PixelBytes)));
        });
        await app.StartAsync();
        return new(app, alone);
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private static IEnumerable<string> Series(string study) => Enumerable.Range(0, Counts.Length).Select(number => $"{study}.{number}");

    private static IEnumerable<string> Instances(string series) =>
        Enumerable.Range(1, Count(series)).Select(number => $"{series}.{number}");

    private static int Count(string series) => Counts[series[^1] - '0'];

    private static string Uid(string tag, string uid) => $$"""
        "{{tag}}":{"vr":"UI","Value":["{{uid}}"]}
        """;

    private static Task SendAsync(HttpContext context, IEnumerable<string> rows)
    {
        context.Response.ContentType = "application/dicom+json";
        return context.Response.WriteAsync($"[{string.Join(',', rows)}]");
    }

    private static async Task SendAsync(HttpContext context, string study, IEnumerable<string> series, string? only = null)
    {
        context.Response.ContentType = "multipart/related; type=\"application/dicom\"; boundary=b";
        var body = context.Response.Body;
        foreach (var one in series)
        {
            foreach (var instance in Instances(one).Where(instance => only is null || instance == only))
            {
                var head = WriteHead(study, one, instance);
                await body.WriteAsync(Encoding.ASCII.GetBytes($"{Boundary}{head.Length + PixelBytes}\r\n\r\n"));
                await body.WriteAsync(head);
                await body.WriteAsync(Pixels);
                await body.WriteAsync("\r\n"u8.ToArray());
            }
        }
        await body.WriteAsync("--b--\r\n"u8.ToArray());
    }

    /// <summary>The bytes of a Part 10 file in front of its pixels.</summary>
    private static byte[] WriteHead(string study, string series, string instance)
    {
        var file = new MemoryStream();
        file.Write(new byte[128]);
        file.Write("DICM"u8);
        Write(0x00020003, instance);
        Write(0x00020010, "1.2.840.10008.1.2.1");
        Write(0x00080018, instance);
        Write(0x0020000D, study);
        Write(0x0020000E, series);
        file.Write([0xE0, 0x7F, 0x10, 0, (byte)'O', (byte)'W', 0, 0]);
        var length = new byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(length, PixelBytes);
        file.Write(length);
        return file.ToArray();

        void Write(uint tag, string uid)
        {
            var value = Encoding.ASCII.GetBytes(uid.Length % 2 == 0 ? uid : uid + "\0");
            file.Write([(byte)(tag >> 16), (byte)(tag >> 24), (byte)tag, (byte)(tag >> 8), (byte)'U', (byte)'I', (byte)value.Length, 0]);
            file.Write(value);
        }
    }
}
