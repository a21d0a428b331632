using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Proxy.Benchmarks;

/// <summary>A PACS with frames of any size: the UID of a series encodes the size of its frames.</summary>
/// <remarks>
/// A frame is uncompressed, Explicit VR Little Endian, 16 bit; each of its rows is filled with the number of the instance.
/// </remarks>
internal sealed class FramePacs : IAsyncDisposable
{
    public const string Study = "2.25.77";

    /// <summary>The number of instances per series.</summary>
    public const int Instances = 300;

    private readonly WebApplication _app;

    private FramePacs(WebApplication app) => (_app, Root) = (app, new Uri(app.Urls.Single() + "/dicom-web/"));

    /// <summary>The DICOMweb root.</summary>
    public Uri Root { get; }

    /// <summary>The series whose frames have this size.</summary>
    public static string GetSeries(int rows, int columns) => $"2.25.77.{rows}.{columns}";

    /// <summary>The path of a frame below a DICOMweb root.</summary>
    public static string FramePath(int rows, int columns, int number) =>
        $"studies/{Study}/series/{GetSeries(rows, columns)}/instances/{GetSeries(rows, columns)}.{number}/frames/1";

    public static async Task<FramePacs> StartAsync()
    {
        var builder = WebApplication.CreateBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        app.Map("/dicom-web/studies", (HttpContext c) => SendAsync(c, "[]"));
        app.Map(
            "/dicom-web/studies/{s}/series",
            (HttpContext c) => SendAsync(c, $"[{string.Join(',', Sizes.Select(size => Row(size.Rows, size.Columns)))}]"));
        app.Map("/dicom-web/studies/{s}/series/{e}/metadata", (HttpContext c, string e) => SendAsync(c, Metadata(e)));
        app.Map("/dicom-web/studies/{s}/series/{e}/instances/{i}/frames/1", SendFrameAsync);
        await app.StartAsync();
        return new(app);
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    /// <summary>The sizes of the available frames: 8, 15 and 64 MB.</summary>
    private static readonly (int Rows, int Columns)[] Sizes = [(2048, 2048), (3072, 2560), (8192, 4096)];

    private static async Task SendFrameAsync(HttpContext context, string i)
    {
        var (rows, columns) = GetSize(i);
        var number = ushort.Parse(i[(i.LastIndexOf('.') + 1)..], CultureInfo.InvariantCulture);
        var row = new byte[columns * 2];
        System.Runtime.InteropServices.MemoryMarshal.Cast<byte, ushort>(row.AsSpan()).Fill(number);
        var length = (long)rows * row.Length;
        var head = Encoding.ASCII.GetBytes(
            $"--frames\r\nContent-Type: application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1\r\nContent-Length: {length}\r\n\r\n");
        context.Response.ContentType = "multipart/related; type=\"application/octet-stream\"; boundary=frames";
        context.Response.ContentLength = head.Length + length + End.Length;
        await context.Response.Body.WriteAsync(head);
        for (var r = 0; r < rows; r++) await context.Response.Body.WriteAsync(row);
        await context.Response.Body.WriteAsync(End);
    }

    private static byte[] End { get; } = "\r\n--frames--\r\n"u8.ToArray();

    private static async Task SendAsync(HttpContext context, string json)
    {
        context.Response.ContentType = "application/dicom+json";
        await context.Response.WriteAsync(json);
    }

    private static (int Rows, int Columns) GetSize(string uid)
    {
        var numbers = uid.Split('.');
        return (int.Parse(numbers[3], CultureInfo.InvariantCulture), int.Parse(numbers[4], CultureInfo.InvariantCulture));
    }

    private static string Row(int rows, int columns) =>
        $$$"""{"00080060":{"vr":"CS","Value":["CT"]},"0020000D":{"vr":"UI","Value":["{{{Study}}}"]},"""
        + $$$""" "0020000E":{"vr":"UI","Value":["{{{GetSeries(rows, columns)}}}"]},"00201209":{"vr":"IS","Value":[{{{Instances}}}]}}""";

    private static string Metadata(string series)
    {
        var (rows, columns) = GetSize(series);
        return $"[{string.Join(',', Enumerable.Range(1, Instances).Select(Instance))}]";

        string Instance(int number) =>
            $$$"""
            {"00080016":{"vr":"UI","Value":["1.2.840.10008.5.1.4.1.1.2"]},"00080018":{"vr":"UI","Value":["{{{series}}}.{{{number}}}"]},
            "0020000D":{"vr":"UI","Value":["{{{Study}}}"]},"0020000E":{"vr":"UI","Value":["{{{series}}}"]},
            "00200013":{"vr":"IS","Value":[{{{number}}}]},
            "00280002":{"vr":"US","Value":[1]},"00280010":{"vr":"US","Value":[{{{rows}}}]},"00280011":{"vr":"US","Value":[{{{columns}}}]},
            "00280100":{"vr":"US","Value":[16]},"00280101":{"vr":"US","Value":[16]},"00280103":{"vr":"US","Value":[0]},
            "00083002":{"vr":"UI","Value":["1.2.840.10008.1.2.1"]}}
            """;
    }
}
