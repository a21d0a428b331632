using System.Diagnostics;
using System.Text.Json.Nodes;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Demo;

/// <summary>The demo as its users start it, in a process of its own.</summary>
public sealed class DemoStartTests
{
    private const string Listening = "Now listening on: ", QuickLook = "Quick look ";

    [Fact]
    public async Task DescribesItself()
    {
        var folder = Directory.CreateTempSubdirectory("proxy-demo-start-").FullName;
        using var stop = new CancellationTokenSource(Until.Patience * 2, TimeProvider.System);
        using var process = Start(folder);
        try
        {
            var (root, look) = await ReadAsync(process, stop.Token);
            using var client = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = new(root) };
            var openApi = JsonNode.Parse(await client.GetStringAsync("/openapi.json", stop.Token))!;
            using var options = new HttpRequestMessage(HttpMethod.Options, "/dicomweb/studies");
            using var capabilities = await client.SendAsync(options, stop.Token);

            Assert.StartsWith($"{root}/look?study=2.25.", look.Trim(), StringComparison.Ordinal);
            Assert.Contains("Quick look", await client.GetStringAsync(look.Trim(), stop.Token), StringComparison.Ordinal);
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

    [Fact]
    public async Task SaysInALineThatThePortIsInUse()
    {
        using var other = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        other.Start();
        var folder = Directory.CreateTempSubdirectory("proxy-demo-start-").FullName;
        using var stop = new CancellationTokenSource(Until.Patience * 2, TimeProvider.System);
        using var process = Start(folder, ((System.Net.IPEndPoint)other.LocalEndpoint).Port);

        var error = await process.StandardError.ReadToEndAsync(stop.Token);
        await process.WaitForExitAsync(stop.Token);

        Assert.Equal(1, process.ExitCode);
        Assert.Matches("^The proxy cannot start:\n  urls = \"http://127.0.0.1:[0-9]+\": another program listens .*--urls .*\n$", error);
        Assert.DoesNotContain("   at ", await process.StandardOutput.ReadToEndAsync(stop.Token), StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateDirectories(folder, "proxy-demo-*"));
        await Until.DeletedAsync(folder);
    }

    private static Process Start(string folder, int port = 0)
    {
        var start = new ProcessStartInfo(
            "dotnet", [Path.Combine(AppContext.BaseDirectory, "Proxy.dll"), "--demo", $"--urls=http://127.0.0.1:{port}"])
        {
            RedirectStandardError = true,
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            UseShellExecute = false,
        };
        // The demo's cache folder is in the folder for temporary files.
        start.Environment["TMPDIR"] = folder;
        return Process.Start(start)!;
    }

    /// <summary>Reads the address of the page and that of the quick look. The log is written beside the text, and may come later.</summary>
    private static async Task<(string Root, string Look)> ReadAsync(Process process, CancellationToken cancellation)
    {
        var (root, look) = ("", "");
        while (await process.StandardOutput.ReadLineAsync(cancellation) is { } line)
        {
            if (line.IndexOf(Listening, StringComparison.Ordinal) is >= 0 and var at) root = line[(at + Listening.Length)..];
            if (line.IndexOf(QuickLook, StringComparison.Ordinal) is >= 0 and var start) look = line[(start + QuickLook.Length)..];
            if (root.Length > 0 && look.Length > 0) return (root, look);
        }
        throw new InvalidOperationException("The demo ended before it said this.");
    }
}
