using System.Diagnostics;
using System.Text.Json.Nodes;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Demo;

/// <summary>The demo as its users start it, in a process of its own.</summary>
public sealed class DemoStartTests
{
    private const string Listening = "Now listening on: ";

    [Fact]
    public async Task DescribesItself()
    {
        var folder = Directory.CreateTempSubdirectory("proxy-demo-start-").FullName;
        using var stop = new CancellationTokenSource(Until.Patience * 2, TimeProvider.System);
        using var process = Start(folder);
        try
        {
            var root = await ReadAddressAsync(process, stop.Token);
            using var client = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = new(root) };
            var openApi = JsonNode.Parse(await client.GetStringAsync("/openapi.json", stop.Token))!;
            using var options = new HttpRequestMessage(HttpMethod.Options, "/dicomweb/studies");
            using var capabilities = await client.SendAsync(options, stop.Token);

            Assert.NotNull(openApi["paths"]!["/health/ready"]);
            Assert.True(capabilities.IsSuccessStatusCode);
            Assert.Contains("GET", capabilities.Content.Headers.Allow);
        }
        finally
        {
            process.Kill();
            await process.WaitForExitAsync(CancellationToken.None);
            await Until.DeletedAsync(folder);
        }
    }

    private static Process Start(string folder)
    {
        var start = new ProcessStartInfo(
            "dotnet", [Path.Combine(AppContext.BaseDirectory, "Proxy.dll"), "--demo", "--urls=http://127.0.0.1:0"])
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            UseShellExecute = false,
        };
        // The demo's cache folder is in the folder for temporary files.
        start.Environment["TMPDIR"] = folder;
        return Process.Start(start)!;
    }

    private static async Task<string> ReadAddressAsync(Process process, CancellationToken cancellation)
    {
        while (await process.StandardOutput.ReadLineAsync(cancellation) is { } line)
        {
            if (line.IndexOf(Listening, StringComparison.Ordinal) is >= 0 and var at) return line[(at + Listening.Length)..];
        }
        throw new InvalidOperationException("The demo ended before it listened.");
    }
}
