using System.Net;
using System.Net.Sockets;

namespace Proxy.Benchmarks;

/// <summary>Starts the proxy in this process by its entry point, and sends requests to it.</summary>
internal static class Bench
{
    public const string FrameAccept = "multipart/related; type=application/octet-stream; transfer-syntax=*";
    public const string JsonAccept = "application/dicom+json";

    public static async Task<Uri> StartProxyAsync(params string[] settings)
    {
        var root = FindFreeRoot();
        // The process starts many proxies, and file watchers are limited.
        string[] arguments = [
            $"--urls={root}", "--hostBuilder:reloadConfigOnChange=false", "--Logging:LogLevel:Default=Warning", .. settings];
        var entry = System.Reflection.Assembly.Load("Proxy").EntryPoint!;
        _ = Task.Run(() => entry.Invoke(null, [arguments]));
        await WaitAsync(root);
        return root;
    }

    /// <summary>A local address without a listener.</summary>
    public static Uri FindFreeRoot()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return new Uri($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}/");
    }

    /// <summary>Waits until the proxy at an address answers.</summary>
    public static async Task WaitAsync(Uri root)
    {
        using var client = NewClient();
        for (var tries = 0; tries < 200; tries++)
        {
            try
            {
                if ((await client.GetAsync(new Uri(root, "health/live"))).IsSuccessStatusCode) return;
            }
            catch (HttpRequestException)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System);
            }
        }
        throw new InvalidOperationException("The proxy did not start.");
    }

    /// <summary>A client without decompression that reuses its connections.</summary>
    public static HttpClient NewClient() =>
        new(new SocketsHttpHandler { AutomaticDecompression = DecompressionMethods.None, MaxConnectionsPerServer = 16 });

    /// <summary>Sends a request, reads the whole answer and returns its number of bytes.</summary>
    public static async Task<long> AskAsync(HttpClient client, Uri address, string accept, string? encoding = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, address);
        request.Headers.TryAddWithoutValidation("Accept", accept);
        if (encoding is not null) request.Headers.TryAddWithoutValidation("Accept-Encoding", encoding);
        using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        response.EnsureSuccessStatusCode();
        var buffer = System.Buffers.ArrayPool<byte>.Shared.Rent(128 * 1024);
        var read = 0L;
        await using var body = await response.Content.ReadAsStreamAsync();
        for (int count; (count = await body.ReadAsync(buffer)) > 0; read += count) { }
        System.Buffers.ArrayPool<byte>.Shared.Return(buffer);
        return read;
    }
}
