using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Proxy.Benchmarks;

/// <summary>A server with prebuilt answers: the fastest PACS that the framework allows, and the baseline for a hit.</summary>
internal sealed class FixedPacs
{
    public const string Study = "2.25.1001";
    public const string Series = "2.25.1002";
    public const int Instances = 120;

    /// <summary>An instance whose frame has low noise, so that gzip saves a third, as with a CT.</summary>
    public const int PackableInstance = 901;

    /// <summary>An instance with a frame of 8 MiB, as a CR has.</summary>
    public const int LargeInstance = 902;

    private const int FrameBytes = 512 * 512 * 2;
    private const int LargeFrameBytes = 8 << 20;

    private static readonly byte[] Frame = MakeFrame(FrameBytes, mask: 0xFF);
    private static readonly byte[] PackableFrame = MakeFrame(FrameBytes, mask: 0x07);
    private static readonly byte[] LargeFrame = MakeFrame(LargeFrameBytes, mask: 0xFF);

    public static byte[] Metadata { get; } = MakeMetadata();

    public Uri Root { get; private set; } = null!;

    public static string InstanceUid(int number) => $"2.25.2{number:D3}";

    public static string FramePath(int number) => $"studies/{Study}/series/{Series}/instances/{InstanceUid(number)}/frames/1";

    public static async Task<FixedPacs> StartAsync()
    {
        var builder = WebApplication.CreateBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        var list = StudyRows(25);
        app.Map(
            "/dicom-web/studies",
            (HttpContext c) => SendAsync(
                c, "application/dicom+json",
                c.Request.Query.Keys.Any(k => k is "0020000D" or "StudyInstanceUID") || !c.Request.Query.ContainsKey("limit")
                    ? StudyRows(1)
                    : list));
        app.Map("/dicom-web/studies/{s}/series", (HttpContext c) => SendAsync(c, "application/dicom+json", SeriesRow()));
        app.Map("/dicom-web/studies/{s}/series/{e}/metadata", (HttpContext c) => SendAsync(c, "application/dicom+json", Metadata));
        app.Map(
            "/dicom-web/studies/{s}/series/{e}/instances/{i}/frames/{f}",
            (HttpContext c, string i) => SendAsync(
                c, "multipart/related; type=\"application/octet-stream\"; boundary=fixed",
                i == InstanceUid(LargeInstance) ? LargeFrame : i == InstanceUid(PackableInstance) ? PackableFrame : Frame));
        await app.StartAsync();
        return new FixedPacs { Root = new Uri(app.Urls.Single() + "/dicom-web/") };
    }

    private static async Task SendAsync(HttpContext context, string type, byte[] body)
    {
        context.Response.Headers.ETag = $"\"{body.Length}\"";
        context.Response.Headers.CacheControl = "max-age=600";
        context.Response.ContentType = type;
        context.Response.ContentLength = body.Length;
        await context.Response.Body.WriteAsync(body);
    }

    private static byte[] StudyRows(int count) => Encoding.UTF8.GetBytes('[' + string.Join(',', Enumerable.Range(0, count).Select(row =>
        $$$"""{"0020000D":{"vr":"UI","Value":["{{{(row == 0 ? Study : $"2.25.99{row}")}}}"]},"00080061":{"vr":"CS","Value":["CT"]},"""
        + $$$""" "00100020":{"vr":"LO","Value":["P{{{row}}}"]},"00080020":{"vr":"DA","Value":["202601{{{row % 28 + 1:D2}}}"]},"""
        + $$$""" "00081030":{"vr":"LO","Value":["CT of the abdomen, number {{{row}}}"]}}""")) + ']');

    private static byte[] SeriesRow() => Encoding.UTF8.GetBytes(
        $$$"""[{"00080060":{"vr":"CS","Value":["CT"]},"0020000D":{"vr":"UI","Value":["{{{Study}}}"]},"""
        + $$$""" "0020000E":{"vr":"UI","Value":["{{{Series}}}"]},"00201209":{"vr":"IS","Value":[{{{Instances}}}]}}]""");

    /// <summary>Indented with tabs and about 6,400 bytes per dataset, as Orthanc writes a CT.</summary>
    private static byte[] MakeMetadata()
    {
        var json = new StringBuilder("[");
        for (var i = 1; i <= Instances; i++)
        {
            json.Append(i == 1 ? "\n\t{\n" : ",\n\t{\n");
            Add("00080016", "UI", "1.2.840.10008.5.1.4.1.1.2");
            Add("00080018", "UI", InstanceUid(i));
            for (var t = 0; t < 68; t++)
                Add((0x00180050 + t).ToString("X8", CultureInfo.InvariantCulture), "LO", $"a value of the scanner, number {t}");
            Add("0020000D", "UI", Study);
            Add("0020000E", "UI", Series);
            Add("00200013", "IS", i.ToString(CultureInfo.InvariantCulture));
            Add("00200032", "DS", string.Create(CultureInfo.InvariantCulture, $"{-250 + i * 2.5:F3}"));
            json.Append("\t\t\"7FE00010\" : \n\t\t{\n\t\t\t\"BulkDataURI\" : \"http://127.0.0.1/dicom-web/").Append(FramePath(i))
                .Append("\",\n\t\t\t\"vr\" : \"OW\"\n\t\t}\n\t}");
        }
        return Encoding.UTF8.GetBytes(json.Append("\n]\n").ToString());

        void Add(string tag, string vr, string value) =>
            json.Append("\t\t\"").Append(tag).Append("\" : \n\t\t{\n\t\t\t\"Value\" : \n\t\t\t[\n\t\t\t\t\"").Append(value)
                .Append("\"\n\t\t\t],\n\t\t\t\"vr\" : \"").Append(vr).Append("\"\n\t\t},\n");
    }

    private static byte[] MakeFrame(int bytes, byte mask)
    {
        var pixels = new byte[bytes];
        new Random(1).NextBytes(pixels);
        // The high byte of a sample varies little.
        for (var i = 1; i < bytes; i += 2) pixels[i] &= mask;
        var head = "--fixed\r\nContent-Type: application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1\r\n"
            + $"Content-Length: {bytes}\r\n\r\n";
        return [.. Encoding.ASCII.GetBytes(head), .. pixels, .. "\r\n--fixed--\r\n"u8];
    }
}
