using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Proxy.Integration;

/// <summary>A PACS with one study; the bytes of each frame derive from its path, so that a test can compute them again.</summary>
public sealed class FramePacs : IAsyncDisposable
{
    public const string Study = "2.25.100";

    private readonly WebApplication _app;
    private int _frames;

    private FramePacs(WebApplication app) => _app = app;

    public string Address =>
        _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single() + "/dicom-web";

    /// <summary>The number of frame requests.</summary>
    public int Frames => Volatile.Read(ref _frames);

    public static string GetPath(int series, int frame) =>
        $"studies/{Study}/series/{Study}.{series}/instances/{Study}.{series}.1/frames/{frame}";

    public static byte[] GetBytes(string path, int length)
    {
        var bytes = new byte[length];
        new Random(path.Aggregate(17, (sum, c) => unchecked(sum * 31 + c))).NextBytes(bytes);
        return bytes;
    }

    /// <param name="series">The number of series of the study.</param>
    /// <param name="frameBytes">The length of the frame at a path.</param>
    public static async Task<FramePacs> StartAsync(int series, Func<string, int> frameBytes)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        var app = builder.Build();
        var pacs = new FramePacs(app);
        app.MapGet("/dicom-web/studies/{study}/series", () => Results.Text(
            "[" + string.Join(',', Enumerable.Range(1, series).Select(GetRow)) + "]",
            "application/dicom+json"));
        app.MapGet("/dicom-web/{**path}", async (HttpContext context, string path) =>
        {
            if (!path.Contains("/frames/", StringComparison.Ordinal))
            {
                context.Response.StatusCode = 404;
                return;
            }

            Interlocked.Increment(ref pacs._frames);
            var body = GetBytes(path, frameBytes(path));
            var head = Encoding.ASCII.GetBytes(
                "--b\r\nContent-Type: application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1\r\n" +
                $"Content-Length: {body.Length}\r\n\r\n");
            context.Response.ContentType = "multipart/related; type=\"application/octet-stream\"; boundary=b";
            await context.Response.Body.WriteAsync(head);
            await context.Response.Body.WriteAsync(body);
            await context.Response.Body.WriteAsync("\r\n--b--\r\n"u8.ToArray());
        });
        await app.StartAsync();
        return pacs;
    }

    private static string GetRow(int series) =>
        "{" + string.Join(
            ',',
            [Value(
                "0020000D", "UI", $"\"{Study}\""), Value("0020000E", "UI", $"\"{Study}.{series}\""), Value("00201209", "IS", "1")]) + "}";

    private static string Value(string tag, string vr, string value) => $$"""
        "{{tag}}":{"vr":"{{vr}}","Value":[{{value}}]}
        """;

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();
}
