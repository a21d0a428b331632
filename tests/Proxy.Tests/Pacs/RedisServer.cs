using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using StackExchange.Redis;
using Xunit;

namespace Proxy.Tests.Pacs;

/// <summary>A Redis server of its own, without persistence, on a free loopback port.</summary>
public sealed class RedisServer : IAsyncDisposable
{
    private const string Program = "/usr/bin/redis-server";

    private readonly string _folder = Directory.CreateTempSubdirectory("redis-").FullName;
    private readonly string[] _arguments;
    private Process? _process;
    private ConnectionMultiplexer? _client;

    private RedisServer(string[] arguments) => _arguments = arguments;

    public int Port { get; } = FindPort();

    /// <summary>The setting <c>Cluster:Redis</c>.</summary>
    public string Address => $"127.0.0.1:{Port}";

    /// <summary>A client of the test.</summary>
    public IDatabase Database => _client!.GetDatabase();

    public IServer Server => _client!.GetServers()[0];

    /// <summary>Starts a server, or skips the test if it is not installed.</summary>
    public static async Task<RedisServer> StartAsync(params string[] arguments)
    {
        Assert.SkipUnless(
            File.Exists(Program) || Environment.GetEnvironmentVariable("REQUIRE_REAL") == "1", "redis-server is not installed");
        var server = new RedisServer(arguments);
        server.Run();
        server._client = await ConnectionMultiplexer.ConnectAsync(
            server.Address + ",abortConnect=false,connectTimeout=10000,syncTimeout=60000,asyncTimeout=60000,allowAdmin=true");
        await Until.TrueAsync(() => server._client.IsConnected);
        return server;
    }

    /// <summary>Starts it again after <see cref="Kill"/>, empty.</summary>
    public void Run()
    {
        string[] arguments =
        [
            "--port", $"{Port}", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", _folder, "--daemonize", "no",
            "--loglevel", "warning", .. _arguments,
        ];
        _process = Process.Start(new ProcessStartInfo(Program, arguments) { RedirectStandardOutput = true, UseShellExecute = false })!;
    }

    public void Kill()
    {
        _process!.Kill();
        _process.WaitForExit();
    }

    /// <summary>The process gets no processor time, and its connections stay open.</summary>
    public void Freeze() => Signal("-STOP");

    public void Thaw() => Signal("-CONT");

    public async ValueTask DisposeAsync()
    {
        if (_client is not null) await _client.DisposeAsync();
        Kill();
        _process!.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private void Signal(string signal)
    {
        using var kill = Process.Start("kill", [signal, $"{_process!.Id}"]);
        kill.WaitForExit();
    }

    private static int FindPort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
