using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Proxy.Integration;

/// <summary>A real PACS: Orthanc with its DICOMweb plugin, on a loopback port; its storage ends with it.</summary>
public sealed class OrthancServer : IAsyncDisposable
{
    private readonly Scratch _scratch;
    private ChildProcess _process;

    private OrthancServer(Scratch scratch, int port, NetworkCredential? user)
    {
        (_scratch, _process, Port) = (scratch, Launch(scratch), port);
        Http = new HttpClient(new SocketsHttpHandler()) { BaseAddress = new Uri($"http://127.0.0.1:{port}/") };
        if (user is not null)
        {
            var secret = Convert.ToBase64String(Encoding.UTF8.GetBytes($"{user.UserName}:{user.Password}"));
            Http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Basic", secret);
        }
    }

    public int Port { get; }

    /// <summary>Its DICOMweb root, as a backend's <c>Address</c>.</summary>
    public string Address => $"http://127.0.0.1:{Port}/dicom-web";

    public bool IsRunning => !_process.HasExited;

    /// <summary>A direct client of the server, with its user name and password if it needs them.</summary>
    public HttpClient Http { get; }

    public static Task<OrthancServer> StartAsync(string name, NetworkCredential? user, CancellationToken cancellationToken) =>
        StartAsync(name, user, dicom: null, cancellationToken);

    /// <param name="name">Its name.</param>
    /// <param name="user">The user that it requires; null for none.</param>
    /// <param name="dicom">
    /// The port of its DIMSE services, for any AE title, and that of the receiver PROXY of C-MOVE; null for none.
    /// </param>
    /// <param name="cancellationToken">Cancels the start.</param>
    public static async Task<OrthancServer> StartAsync(
        string name, NetworkCredential? user, (int Port, int MovesTo)? dicom, CancellationToken cancellationToken)
    {
        var (scratch, port) = (new Scratch(name), Readiness.FreePort());
        await File.WriteAllTextAsync(SettingsIn(scratch), Settings(name, port, scratch.Folder, user, dicom), cancellationToken);
        var server = new OrthancServer(scratch, port, user);
        try
        {
            await server.AwaitAsync(cancellationToken);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>Stores instances; an existing instance is replaced.</summary>
    public async Task StoreAsync(IEnumerable<Instance> instances, CancellationToken cancellationToken)
    {
        foreach (var instance in instances)
            await StoreAsync(instance.ToPart10(), $"{instance}", cancellationToken);
    }

    /// <summary>Stores one file.</summary>
    public async Task StoreAsync(byte[] file, string name, CancellationToken cancellationToken)
    {
        using var answer = await Http.PostAsync(new Uri("instances", UriKind.Relative), new ByteArrayContent(file), cancellationToken);
        if (!answer.IsSuccessStatusCode)
            throw new InvalidOperationException($"Orthanc refused {name}: {await answer.Content.ReadAsStringAsync(cancellationToken)}");
    }

    public async Task DeleteAsync(Series series, CancellationToken cancellationToken)
    {
        if (!await DeleteIfStoredAsync(series, cancellationToken))
            throw new InvalidOperationException($"Orthanc does not hold {series.Study.Key}/{series.Key}");
    }

    /// <returns>False when it does not hold the series.</returns>
    public async Task<bool> DeleteIfStoredAsync(Series series, CancellationToken cancellationToken)
    {
        using var found = await Http.PostAsync(new Uri("tools/lookup", UriKind.Relative), new StringContent(series.Uid), cancellationToken);
        if (JsonNode.Parse(await found.Content.ReadAsStringAsync(cancellationToken)) is not JsonArray { Count: > 0 } paths)
            return false;
        using var answer = await Http.DeleteAsync(new Uri(paths[0]!["Path"]!.ToString(), UriKind.Relative), cancellationToken);
        answer.EnsureSuccessStatusCode();
        return true;
    }

    /// <summary>Stops the server; later connections are refused.</summary>
    public Task StopAsync() => _process.StopAsync();

    /// <summary>Starts the stopped server on the same port, with its studies.</summary>
    public async Task StartAgainAsync(CancellationToken cancellationToken)
    {
        await _process.DisposeAsync();
        _process = Launch(_scratch);
        await AwaitAsync(cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        await _process.DisposeAsync();
        Http.Dispose();
        _scratch.Dispose();
    }

    // Without a UTF-8 locale Orthanc loses every name that is not ASCII.
    private static ChildProcess Launch(Scratch scratch) =>
        ChildProcess.Start(Real.Orthanc!, [SettingsIn(scratch)], scratch.Folder, new Dictionary<string, string> { ["LC_ALL"] = "C.UTF-8" });

    private static string SettingsIn(Scratch scratch) => Path.Combine(scratch.Folder, "orthanc.json");

    private Task AwaitAsync(CancellationToken cancellationToken) =>
        Readiness.AwaitAsync(Http, $"http://127.0.0.1:{Port}/system", _process, cancellationToken);

    private static string Settings(string name, int port, string folder, NetworkCredential? user, (int Port, int MovesTo)? dicom) =>
        JsonSerializer.Serialize(new Dictionary<string, object?>
        {
            ["Name"] = name,
            ["HttpPort"] = port,
            ["RemoteAccessAllowed"] = false,
            ["DicomServerEnabled"] = dicom is not null,
            ["DicomPort"] = dicom?.Port ?? 4242,
            ["DicomAet"] = "ORTHANC",
            ["DicomAlwaysAllowEcho"] = true,
            ["DicomAlwaysAllowFind"] = true,
            ["DicomAlwaysAllowGet"] = true,
            ["DicomAlwaysAllowMove"] = true,
            ["DicomModalities"] = dicom is { } services
                ? new JsonObject { ["proxy"] = new JsonArray("PROXY", "127.0.0.1", services.MovesTo) }
                : new JsonObject(),
            ["StorageDirectory"] = Path.Combine(folder, "storage"),
            ["IndexDirectory"] = Path.Combine(folder, "storage"),
            ["AuthenticationEnabled"] = user is not null,
            ["RegisteredUsers"] = new Dictionary<string, string> { [user?.UserName ?? "unused"] = user?.Password ?? "nothing" },
            ["DefaultEncoding"] = "Utf8",
            ["OverwriteInstances"] = true,
            ["KeepAlive"] = true,
            ["TcpNoDelay"] = true,
            ["Plugins"] = new[] { Real.DicomWebPlugin },
            ["DicomWeb"] = new Dictionary<string, object> { ["Enable"] = true, ["Root"] = "/dicom-web/" },
        });
}
