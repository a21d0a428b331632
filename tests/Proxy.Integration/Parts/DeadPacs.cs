using System.Net;
using System.Net.Sockets;

namespace Proxy.Integration;

/// <summary>A dead PACS: connections to its port are refused, or accepted and never answered.</summary>
public sealed class DeadPacs : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

    private DeadPacs() => _socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));

    public string Address => $"http://127.0.0.1:{((IPEndPoint)_socket.LocalEndPoint!).Port}/dicom-web";

    /// <summary>Binds the port, so that no other program listens there, and refuses connections.</summary>
    public static DeadPacs Refusing() => new();

    /// <summary>The system accepts connections and received bytes; the PACS reads nothing.</summary>
    public static DeadPacs Silent()
    {
        var pacs = new DeadPacs();
        pacs._socket.Listen();
        return pacs;
    }

    public void Dispose() => _socket.Dispose();
}
