<?php
// Calls a SOAP operation from its WSDL alone, over mutual TLS. Arguments: WSDL, certificate with key, authority,
// operation, version (1 or 2); the request as JSON on standard input; the answer as JSON on standard output.
[, $wsdl, $certificate, $authority, $operation, $version] = $argv;
$context = stream_context_create(['ssl' => [
    'cafile' => $authority, 'verify_peer' => true, 'verify_peer_name' => true, 'local_cert' => $certificate,
]]);
$options = [
    'stream_context' => $context, 'local_cert' => $certificate, 'cache_wsdl' => WSDL_CACHE_NONE,
    'soap_version' => (int) $version, 'exceptions' => true, 'features' => SOAP_SINGLE_ELEMENT_ARRAYS,
];
try {
    $client = new SoapClient($wsdl, $options);
    $answer = $client->__soapCall($operation, [json_decode(stream_get_contents(STDIN), true)]);
    echo json_encode(['answer' => $answer]);
} catch (SoapFault $fault) {
    echo json_encode(['fault' => $fault->getMessage(), 'code' => $fault->faultcode, 'detail' => $fault->detail ?? null]);
}
