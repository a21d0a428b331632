using System.Net;
using System.Net.Sockets;

namespace Proxy.Integration;

/// <summary>A PACS that died: whoever connects to its port is refused, or is taken and never hears a word.</summary>
public sealed class DeadPacs : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

    private DeadPacs() => _socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));

    public string Address => $"http://127.0.0.1:{((IPEndPoint)_socket.LocalEndPoint!).Port}/dicom-web";

    /// <summary>The port is taken, so that nobody else comes to listen there, and nobody listens.</summary>
    public static DeadPacs Refusing() => new();

    /// <summary>The system accepts connections and what is sent over them; nobody reads it.</summary>
    public static DeadPacs Silent()
    {
        var pacs = new DeadPacs();
        pacs._socket.Listen();
        return pacs;
    }

    public void Dispose() => _socket.Dispose();
}
