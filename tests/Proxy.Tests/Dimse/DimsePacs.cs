using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using Proxy.Dicom;
using Proxy.Dimse.Protocol;
using Proxy.Tests.Wire;

namespace Proxy.Tests.Dimse;

/// <summary>A PACS that speaks DIMSE, with faults on request: C-ECHO, C-FIND of one study, C-GET of its one series.</summary>
internal sealed partial class DimsePacs : IAsyncDisposable
{
    public const string Study = "1.2.1";
    public const string Series = "1.2.1.1";

    private const string CtStorage = "1.2.840.10008.5.1.4.1.1.2";

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _serving;
    private int _connections;

    public DimsePacs(int instances = 3)
    {
        Instances = [.. Enumerable.Range(1, instances).Select(i => $"{Series}.{i}")];
        _listener.Start();
        _serving = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public ImmutableArray<string> Instances { get; }

    public int Connections => Volatile.Read(ref _connections);

    /// <summary>The identifiers of all requests.</summary>
    public ConcurrentQueue<Dataset> Identifiers { get; } = new();

    /// <summary>The bytes of all identifiers.</summary>
    public ConcurrentQueue<byte[]> RawIdentifiers { get; } = new();

    /// <summary>The presentation contexts that the proxy proposed.</summary>
    public ConcurrentQueue<PresentationContext> Proposed { get; } = new();

    /// <summary>The statuses with which the proxy answered C-STORE.</summary>
    public ConcurrentQueue<ushort> Stored { get; } = new();

    public int Cancelled { get; private set; }

    public Rejection? Rejects { get; set; }

    public bool AnswersRoles { get; set; } = true;

    /// <summary>Answers C-FIND at the level STUDY with this many studies.</summary>
    public int Studies { get; set; } = 1;

    public bool Counts { get; set; } = true;

    public bool SupportsGet { get; set; } = true;

    /// <summary>The loopback port of its only destination of C-MOVE; null when it knows none (A801).</summary>
    public int? MovesTo { get; set; }

    /// <summary>The AE title with which it stores the instances of a C-MOVE.</summary>
    public string StoresAs { get; set; } = "PACS";

    /// <summary>Whether C-STORE says which C-MOVE it belongs to.</summary>
    public bool SendsOriginator { get; set; } = true;

    /// <summary>The instances that the proxy stored, with their datasets.</summary>
    public ConcurrentQueue<(string Uid, byte[] Dataset)> Received { get; } = new();

    /// <summary>The status with which it answers C-STORE; null to abort.</summary>
    public Func<string, ushort?> AnswersStore { get; set; } = _ => 0;

    /// <summary>The storage classes that it does not support.</summary>
    public string? RefusedClass { get; set; }

    /// <summary>Begins TLS on a connection; null for none.</summary>
    public Func<Stream, CancellationToken, Task<Stream>>? Secure { get; set; }

    /// <summary>The transfer syntax of the context that it sends instances on; null for the first one.</summary>
    public string? SentSyntax { get; set; }

    /// <summary>The character set of its rows.</summary>
    public string RowCharacterSet { get; set; } = "ISO_IR 192";

    /// <summary>The number of C-GET requests.</summary>
    public int Gets { get; private set; }

    /// <summary>The number of C-MOVE requests.</summary>
    public int Moves { get; private set; }

    /// <summary>Closes the connection after each operation.</summary>
    public bool ClosesAfterOperation { get; set; }

    /// <summary>What C-GET sends; null for what is asked.</summary>
    public Func<IReadOnlyList<string>, bool, IEnumerable<string>>? Sends { get; set; }

    /// <summary>The final status of C-GET; null for success or B000 as the instances that were sent.</summary>
    public ushort? GetStatus { get; set; }

    public bool AbortsInside { get; set; }

    /// <summary>The datasets of the instances, by their UID.</summary>
    public Func<string, byte[]> Dataset { get; set; } = uid => GetDataset(uid);

    public IEnumerable<(string, string)> Settings(string name = "east") =>
    [
        ($"Backends:{name}:Kind", "Dimse"), ($"Backends:{name}:Host", "127.0.0.1"), ($"Backends:{name}:Port", $"{Port}"),
        ($"Backends:{name}:CalledAeTitle", "PACS"), ($"Backends:{name}:CallingAeTitle", "PROXY"),
    ];

    /// <summary>The dataset of an instance in Explicit VR Little Endian: 2 × 2 pixels, or other ones.</summary>
    public static byte[] GetDataset(string uid, Part10File? pixels = null)
    {
        var file = (pixels ?? Part10File.Native(2, 2))
            .Set(0x00080016, "UI", Even(CtStorage)).Set(0x00080018, "UI", Even(uid)).Set(0x00080060, "CS", "CT")
            .Set(0x0020000D, "UI", Even(Study)).Set(0x0020000E, "UI", Even(Series)).Set(0x00200013, "IS", uid.Split('.')[^1])
            .Remove(0x00020001).Remove(0x00020010);
        file.Preamble = [];
        return file.ToArray();
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        await _serving;
        _stop.Dispose();
    }

    private static string Even(string uid) => uid.Length % 2 == 0 ? uid : uid + '\0';

    private async Task AcceptAsync()
    {
        var serving = new List<Task>();
        try
        {
            while (true)
            {
                var client = await _listener.AcceptTcpClientAsync(_stop.Token);
                client.NoDelay = true;
                Interlocked.Increment(ref _connections);
                serving.Add(ServeAsync(client));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or InvalidOperationException)
        {
            // The test is over.
        }
        await Task.WhenAll(serving);
    }

    private async Task ServeAsync(TcpClient client)
    {
        using (client)
        {
            try
            {
                await using var stream = Secure is null ? client.GetStream() : await Secure(client.GetStream(), _stop.Token);
                await new Session(this, stream, _stop.Token).RunAsync();
            }
            catch (Exception e) when (e is IOException or OperationCanceledException or AssociationException
                or AuthenticationException)
            {
                // The proxy has closed the connection.
            }
        }
    }
}
